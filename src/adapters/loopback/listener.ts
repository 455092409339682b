import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { PendingRedirect } from "../../ports/redirect-receiver.ts";
import { acceptedHosts, type ListenAddress, redirectUriOf } from "./address.ts";
import { sendPage, sendText } from "./answer.ts";
import { bind } from "./bind.ts";
import { createPending, type Deliver } from "./pending.ts";
import { type Expected, readRequest } from "./request.ts";
import { noticePage } from "./result-page.ts";
import { StateRouter } from "./state-router.ts";

/** With more connections than this, the oldest without an authorization response makes room for the newest. */
const MOST_CONNECTIONS = 256;

/** What a sign-in brings along when it takes a share in a listener. */
export interface ShareOptions {
  readonly clock: Clock;
  readonly answerWithinMs: number;
}

/** A listener that any number of sign-ins share. It stops when the last of them gives its share back. */
export class Listener {
  readonly #router = new StateRouter<Deliver>();
  readonly #sockets = new Set<Socket>();
  /** Connections that must not be cut while we listen: a whole request has arrived on them, and waits for its answer. */
  readonly #kept = new Set<Socket>();
  #servers: readonly Server[] = [];
  #expected: Expected = { path: "", hosts: new Set() };
  #redirectUri = "";
  #shares = 0;
  #stopped: Promise<void> | undefined;

  /**
   * Starts listening.
   *
   * @throws `redirect_unavailable` when it cannot.
   */
  static async start(address: ListenAddress): Promise<Listener> {
    const listener = new Listener();
    const { servers, port } = await bind(address, (request, response) => void listener.#receive(request, response));
    listener.#servers = servers;
    listener.#redirectUri = redirectUriOf(address, port);
    listener.#expected = { path: address.path, hosts: acceptedHosts(address, port) };
    for (const server of servers) listener.#watch(server);
    return listener;
  }

  /** A share for one sign-in, or `undefined` when the listener has stopped in the meantime. */
  share(options: ShareOptions): PendingRedirect | undefined {
    if (this.#stopped !== undefined) return undefined;
    this.#shares += 1;
    const release = async (): Promise<void> => {
      this.#shares -= 1;
      if (this.#shares === 0) await this.#stop();
    };
    return createPending({ ...options, redirectUri: this.#redirectUri, router: this.#router, release });
  }

  #watch(server: Server): void {
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        this.#kept.delete(socket);
      });
      if (this.#sockets.size > MOST_CONNECTIONS) this.#makeRoom();
    });
    server.on("clientError", (_error, socket) => {
      // Whatever it was, it was no browser. An answer to a broken connection would only raise the next error.
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      else socket.destroy();
    });
    // Accepting can fail for a while (no file descriptors left). Without a listener that would end the process.
    server.on("error", () => undefined);
  }

  /** Whoever holds connections open without saying anything must not keep the user's browser out. */
  #makeRoom(): void {
    for (const socket of this.#sockets) {
      if (this.#kept.has(socket)) continue;
      socket.destroy();
      return;
    }
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    try {
      const read = await readRequest(request, this.#expected);
      this.#kept.add(request.socket);
      if ("refusal" in read) await sendText(response, read.refusal.status, read.refusal.reason, systemClock);
      else await this.#route(read.parameters, response);
    } catch {
      // The sender went away. There is nobody to tell, and the sign-in goes on waiting.
      request.socket.destroy();
    }
  }

  async #route(parameters: URLSearchParams, response: ServerResponse): Promise<void> {
    const route = this.#router.take(parameters.get("state"));
    if (route.kind === "waiting") route.waiter(parameters, response);
    else if (route.kind === "used") await sendPage(response, 410, noticePage("used"), systemClock);
    else await sendPage(response, 400, noticePage("unknown"), systemClock);
  }

  #stop(): Promise<void> {
    this.#stopped ??= this.#stopServers();
    return this.#stopped;
  }

  async #stopServers(): Promise<void> {
    // This frees the port at once; the promises wait for the connections.
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    // The operating system has the result pages and delivers them. What is still open here has nothing to say.
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }
}
