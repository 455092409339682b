import { connect, type Socket } from "node:net";
import { type LoopbackReceiverOptions, loopbackReceiver } from "../../../src/adapters/loopback/receiver.ts";
import type { PendingRedirect, RedirectOptions, RedirectPage } from "../../../src/ports/redirect-receiver.ts";

export const SIGNED_IN: RedirectPage = {
  outcome: "signed-in",
  clientName: "Acme Agent",
  serverName: "mcp.example.com",
};

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Opens redirects and closes all that a test left open. */
export function redirects(): {
  open(options?: RedirectOptions, receiver?: LoopbackReceiverOptions): Promise<PendingRedirect>;
  closeAll(): Promise<void>;
} {
  const opened: PendingRedirect[] = [];
  return {
    async open(options = {}, receiver = {}) {
      const pending = await loopbackReceiver(receiver).open(options);
      opened.push(pending);
      return pending;
    },
    async closeAll() {
      await Promise.all(opened.splice(0).map((pending) => pending.close()));
    },
  };
}

/** A signal that never aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

function hostOf(uri: string): string {
  return new URL(uri).hostname.replace(/^\[|\]$/g, "");
}

/** A connection to where a redirect URI leads; `host` for another address than the one in it. */
export function rawConnection(uri: string, host: string = hostOf(uri)): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(new URL(uri).port) }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** All that a connection answers until it ends. */
export function readToEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}

/** Sends bytes as they are and reads the answer to its end. */
export async function sendRaw(uri: string, bytes: string | Uint8Array, host?: string): Promise<RawAnswer> {
  const socket = await rawConnection(uri, host);
  const answer = readToEnd(socket);
  socket.write(bytes);
  const text = await answer;
  const [head = "", ...body] = text.split("\r\n\r\n");
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body: body.join("\r\n\r\n") };
}

/** A request with any method, target and headers; `Host` is the right one unless given. */
export function request(
  uri: string,
  options: { method?: string; target?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  const url = new URL(uri);
  const headers: Record<string, string> = { Host: url.host, ...options.headers };
  if (options.body !== undefined) headers["Content-Length"] ??= String(Buffer.byteLength(options.body));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const target = options.target ?? `${url.pathname}${url.search}`;
  return sendRaw(uri, `${options.method ?? "GET"} ${target} HTTP/1.1\r\n${lines.join("")}\r\n${options.body ?? ""}`);
}

/** A form_post, as an authorization server's page has the browser send it. */
export function formPost(uri: string, body: string, headers: Record<string, string> = {}): Promise<RawAnswer> {
  return request(uri, {
    method: "POST",
    body,
    headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
  });
}
