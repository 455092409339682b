import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const SERVICE = "org.freedesktop.secrets";
// An empty password leaves the keyring locked.
const PASSWORD = "test";
const PATIENCE_MS = 15_000;

/** A Secret Service of its own: a private D-Bus with a gnome-keyring that nobody else sees. */
export interface SecretService {
  /** What a child process needs in its environment to use this service, beside PATH. */
  readonly env: Record<string, string>;
  /** Locks the keyring, as it is after a login without a password. Nobody is there to answer a prompt. */
  lock(): Promise<void>;
  /** Unlocks it again without a prompt. */
  unlock(): Promise<void>;
  /** Ends the daemon at once, as a crash does. The bus stays, the service's name is gone. */
  kill(): Promise<void>;
  /** Stops the daemon where it stands: it keeps its name and answers nothing. */
  freeze(): void;
  /** Lets a frozen daemon go on. */
  thaw(): void;
  /** Ends everything and removes its files. */
  stop(): Promise<void>;
}

/**
 * Starts a Secret Service with an unlocked, empty `login` keyring. Takes about half a second.
 *
 * Code that uses it must run in a child process with `env`: the native keychain libraries read the environment of the
 * process, not `process.env` as a worker thread sees it, and a call that hangs would keep the test process from exiting.
 */
export async function startSecretService(): Promise<SecretService> {
  const home = await mkdtemp(join(tmpdir(), "secret-service-"));
  const programs: Program[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(programs.map((program) => program.end()));
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    const env = await privateEnvironment(home);
    programs.push(await start(["dbus-daemon", `--config-file=${join(home, "bus.conf")}`, "--nofork"], env));
    await waitForBus(join(home, "bus"));
    const keyring = await start(
      ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
      env,
      PASSWORD,
    );
    programs.push(keyring);
    await waitForService(env);
    return {
      env: env.shared,
      lock: () => lock(env),
      unlock: () => unlock(env),
      kill: () => keyring.end(),
      freeze: () => keyring.signal("SIGSTOP"),
      thaw: () => keyring.signal("SIGCONT"),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Program {
  signal(name: NodeJS.Signals): void;
  end(): Promise<void>;
}

/**
 * Starts a program that ends when this process ends, however that happens: a shell waits for the end of its input and
 * then kills it.
 */
async function start(command: readonly string[], env: Environment, input = ""): Promise<Program> {
  const script = '"$@" <&3 3<&- >/dev/null & echo $!; exec 3<&-; cat; kill -9 $!';
  const shell = spawn("sh", ["-c", script, "sh", ...command], {
    env: env.whole,
    stdio: ["pipe", "pipe", "ignore", "pipe"],
  });
  // A program that ends at once does not read its input; that it has ended shows elsewhere.
  (shell.stdio[3] as Writable).on("error", () => undefined).end(input);
  const [line] = (await once(shell.stdout as Readable, "data")) as [Buffer];
  const pid = Number(line.toString());
  return {
    signal: (name) => void process.kill(pid, name),
    async end() {
      if (shell.exitCode !== null) return;
      const exited = once(shell, "exit");
      shell.stdin?.end();
      await exited;
    },
  };
}

interface Environment {
  /** What users of the service get. */
  shared: Record<string, string>;
  /** The same with what any program needs. */
  whole: Record<string, string>;
}

async function privateEnvironment(home: string): Promise<Environment> {
  const folders = { XDG_RUNTIME_DIR: "run", XDG_DATA_HOME: "data", XDG_CONFIG_HOME: "config", XDG_CACHE_HOME: "cache" };
  const shared: Record<string, string> = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(home, "bus")}` };
  for (const [name, folder] of Object.entries(folders)) {
    shared[name] = join(home, folder);
    await mkdir(join(home, folder));
    await chmod(join(home, folder), 0o700);
  }
  await writeFile(join(home, "bus.conf"), busConfiguration(shared.DBUS_SESSION_BUS_ADDRESS ?? ""));
  return { shared, whole: { ...shared, PATH: process.env.PATH ?? "", HOME: home, LC_ALL: "C.UTF-8" } };
}

/** A bus without service files: nothing starts by itself on it, above all no second keyring and no prompter. */
function busConfiguration(address: string): string {
  const rules = '<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>';
  return `<busconfig><type>session</type><listen>${address}</listen><policy context="default">${rules}</policy></busconfig>`;
}

/** A keyring that starts before its bus listens gives up. */
async function waitForBus(path: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const socket = connect(path);
    const isUp = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isUp) return;
    await sleep(10);
  }
  throw new Error(`dbus-daemon did not listen within ${PATIENCE_MS} ms`);
}

/** Asks the bus, not the service. Until the bus listens, dbus-send fails. */
async function waitForService(env: Environment): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const query = ["--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", `string:${SERVICE}`];
    const answer = await send(query, env).catch(() => "");
    if (answer.includes("true")) return;
    await sleep(20);
  }
  throw new Error(`gnome-keyring did not take the name ${SERVICE} within ${PATIENCE_MS} ms`);
}

async function lock(env: Environment): Promise<void> {
  const collection = "/org/freedesktop/secrets/collection/login";
  const method = "org.freedesktop.Secret.Service.Lock";
  await send([`--dest=${SERVICE}`, "/org/freedesktop/secrets", method, `array:objpath:${collection}`], env);
}

async function send(message: readonly string[], env: Environment): Promise<string> {
  const { stdout } = await run("dbus-send", ["--session", "--print-reply=literal", ...message], { env: env.whole });
  return stdout;
}

/** Does what a graphical login does: gives the password to the daemon through its control socket. */
async function unlock(env: Environment): Promise<void> {
  const unlockOperation = 1;
  const password = Buffer.from(PASSWORD);
  // A byte with which the kernel passes our credentials, then: length of the rest, operation, length of the text, text.
  const head = Buffer.alloc(13);
  head.writeUInt32BE(head.length - 1 + password.length, 1);
  head.writeUInt32BE(unlockOperation, 5);
  head.writeUInt32BE(password.length, 9);
  const socket = connect(join(env.shared.XDG_RUNTIME_DIR ?? "", "keyring", "control"));
  socket.write(Buffer.concat([head, password]));
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  // Length of the answer, result; 0 is success.
  if (answer.length < 8 || answer.readUInt32BE(4) !== 0) throw new Error("gnome-keyring refused to unlock");
}
