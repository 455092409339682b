import { once } from "node:events";
import { connect, type Socket } from "node:net";

const NAME = "org.gnome.keyring.SystemPrompter";

/**
 * Takes the place of the program that asks for the keyring's password, and never answers: what a prompt looks like that
 * nobody sees. It is some hand-made D-Bus, because nothing that is installed everywhere can own a name.
 *
 * @returns what takes the prompter away.
 */
export async function startSilentPrompter(busAddress: string): Promise<() => void> {
  const socket = connect(busAddress.replace(/^unix:path=/, ""));
  await once(socket, "connect");
  const user = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
  socket.write(`\0AUTH EXTERNAL ${user}\r\n`);
  await expectAnswer(socket, (answer) => answer.toString("latin1").startsWith("OK"));
  socket.write("BEGIN\r\n");
  socket.write(call(1, "Hello"));
  socket.write(call(2, "RequestName", nameAndFlags(NAME)));
  // The signal NameAcquired names what was acquired.
  await expectAnswer(socket, (answer) => answer.includes(NAME));
  return () => void socket.destroy();
}

async function expectAnswer(socket: Socket, isExpected: (answer: Buffer) => boolean): Promise<void> {
  let received: Buffer = Buffer.alloc(0);
  while (!isExpected(received)) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    received = Buffer.concat([received, chunk]);
  }
}

/** A method call to the bus itself (D-Bus Specification, "Message Format"). */
function call(serial: number, member: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const fields = [
    field(1, "o", text("/org/freedesktop/DBus")),
    field(2, "s", text("org.freedesktop.DBus")),
    field(3, "s", text(member)),
    field(6, "s", text("org.freedesktop.DBus")),
    ...(body.length > 0 ? [field(8, "g", Buffer.from("\x02su\0"))] : []),
  ];
  let array: Buffer = Buffer.alloc(0);
  for (const each of fields) array = Buffer.concat([padded(array, 8), each]);
  const head = Buffer.alloc(16);
  head.write("l\x01\0\x01", "latin1");
  head.writeUInt32LE(body.length, 4);
  head.writeUInt32LE(serial, 8);
  head.writeUInt32LE(array.length, 12);
  return Buffer.concat([padded(Buffer.concat([head, array]), 8), body]);
}

function field(code: number, type: string, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([code, 1, type.charCodeAt(0), 0]), value]);
}

function text(value: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(`${value}\0`)]);
}

function nameAndFlags(name: string): Buffer {
  return Buffer.concat([padded(text(name), 4), Buffer.alloc(4)]);
}

function padded(buffer: Buffer, to: number): Buffer {
  return Buffer.concat([buffer, Buffer.alloc((to - (buffer.length % to)) % to)]);
}
