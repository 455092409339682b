import { setTimeout as sleep } from "node:timers/promises";
import type { Fetch } from "../../core/http.ts";
import { isJsonObject } from "../../core/json.ts";
import { inertText } from "../../core/text.ts";
import type { Occasion } from "../explain.ts";
import type { SdkTransports } from "../sdk/transport.ts";
import { Connection } from "./connection.ts";
import type { Wire } from "./exchange-fetch.ts";
import { ExchangeFailed, SessionLost, toJsonRpcError } from "./failures.ts";
import {
  answeredId,
  awaitedId,
  CANNOT_FORWARD,
  INVALID_REQUEST,
  isMessage,
  isRequest,
  isRequestId,
  keyOf,
  type Message,
  PARSE_ERROR,
  type Request,
  type RequestId,
} from "./json-rpc.ts";
import { WireHeaders } from "./wire-headers.ts";

export interface BridgeOptions {
  readonly sdk: SdkTransports;
  readonly url: URL;
  readonly account?: string | undefined;
  readonly fetch: Fetch;
  /** Takes what goes to the host. */
  readonly toHost: (message: Message) => void;
  /** Takes what is worth a line in a log. */
  readonly onRemark: (text: string) => void;
}

/** How the host began its session, for beginning it anew. */
interface Handshake {
  readonly request: Request;
  readonly protocolVersion: unknown;
}

/** How often one request is sent anew because the session was lost. */
const MOST_NEW_SESSIONS = 2;
const FAREWELL_MS = 1500;
const CHANGED_SERVER =
  "The server has ended the session and now speaks another revision of MCP. Restart the connection to it.";
const CUT_OFF = "The connection was closed before the answer was there.";

/**
 * Passes messages between a host on stdio and a remote server, in both directions and unchanged. It connects when the host
 * has something to say, and begins a lost session anew without the host noticing.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #headers = new WireHeaders();
  readonly #underWay = new Set<Promise<void>>();
  /** Requests of the host that have neither been answered nor cancelled. */
  readonly #waiting = new Set<string>();
  /** Those that may still owe answers. */
  readonly #former = new Set<Connection>();
  #wire: Wire = "http";
  /** Whether the server has said anything. */
  #hasWorked = false;
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #handshake: Handshake | undefined;
  /** The host's `initialize` that has not been answered yet. */
  #beginning: Request | undefined;
  /** Our own `initialize`, and what answered it. */
  #renewal: { readonly id: string; answer?: Message } | undefined;
  #renewals = 0;
  #isClosing = false;
  /** Ends when the server has all notifications of the host. */
  #order: Promise<void> = Promise.resolve();
  /** Ends when the server knows that the session has begun: it need not answer anything before. */
  #begun: Promise<void> = Promise.resolve();

  constructor(options: BridgeOptions) {
    this.#options = options;
  }

  /** Whether the host waits for the answer to a request. */
  get isAwaited(): boolean {
    return !this.#isClosing && this.#waiting.size > 0;
  }

  /** Takes a line of the host. */
  fromHost(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      this.#refuse(PARSE_ERROR, "This line is not JSON.");
      return;
    }
    // Batches were part of revision 2025-03-26 only; servers of others do not know them.
    for (const message of Array.isArray(value) ? value : [value]) {
      if (isMessage(message)) this.#accept(message);
      else this.#refuse(INVALID_REQUEST, "This is not a message of JSON-RPC 2.0.", awaitedId(message));
    }
  }

  /** Waits for answers that are under way, but not for long. */
  async drain(patienceMs: number): Promise<void> {
    await Promise.race([Promise.allSettled(this.#underWay), sleep(patienceMs, undefined, { ref: false })]);
  }

  /** Ends the session on the server, and closes every connection. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const farewell = this.#connection?.terminate().catch(() => undefined);
    await Promise.race([farewell, sleep(FAREWELL_MS, undefined, { ref: false })]);
    await Promise.allSettled([this.#connection, ...this.#former].map((each) => each?.close()));
  }

  #accept(message: Message): void {
    const work = isRequest(message) ? this.#forward(message) : this.#pass(message);
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #forward(request: Request): Promise<void> {
    const key = keyOf(request.id);
    this.#waiting.add(key);
    if (request.method === "initialize") this.#beginning = request;
    await this.#begun;
    // Cancelled before anybody could hear of it.
    const isWanted = (): boolean => this.#waiting.has(key);
    for (let newSessions = 0; isWanted(); ) {
      let connection: Connection | undefined;
      try {
        connection = await this.#connected(request);
        if (isWanted()) await connection.send(request);
        break;
      } catch (error) {
        const isLost = error instanceof SessionLost && newSessions++ < MOST_NEW_SESSIONS;
        const isTooLate = connection?.isClosed === true && !this.#isClosing;
        if (connection !== undefined && (isLost || isTooLate)) this.#retire(connection);
        else if (connection === undefined || !(await this.#triesOlder(connection, request, error))) {
          this.#answer(request, error);
          break;
        }
      }
    }
    this.#waiting.delete(key);
    await this.#closeIdle();
  }

  /** A notification, or the answer to a request of the server: in the order in which the host says them. */
  async #pass(message: Message): Promise<void> {
    const { method, params } = message;
    const before = this.#order;
    const send = async (): Promise<void> => {
      await before;
      // Without a connection there is nobody whom it could concern.
      const connection = this.#connection ?? (await this.#connecting);
      if (method === "notifications/cancelled" && this.#cancels(connection, params?.requestId)) return;
      await connection?.send(message);
    };
    const sent = send().catch((error: unknown) => {
      const { message: reason } = toJsonRpcError(error, this.#occasion);
      this.#options.onRemark(`Not passed on: ${inertText(method ?? "an answer of the host")}. ${reason}`);
    });
    this.#order = sent;
    if (method === "notifications/initialized") this.#begun = sent;
    await sent;
  }

  /** @returns whether nobody else has to be told. */
  #cancels(connection: Connection | undefined, id: unknown): boolean {
    if (!isRequestId(id)) return false;
    const isForwarded = connection?.cancel(id);
    return isForwarded === undefined ? this.#waiting.delete(keyOf(id)) : isForwarded;
  }

  async #connected(request: Request): Promise<Connection> {
    if (this.#connection?.isBroken === true) this.#retire(this.#connection);
    if (this.#connection !== undefined) return this.#connection;
    this.#connecting ??= this.#connect(this.#wire, request).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(wire: Wire, request: Request): Promise<Connection> {
    const { sdk, url, fetch } = this.#options;
    const onMessage = (message: Message): void => this.#fromServer(message);
    const connection = new Connection({ wire, sdk, url, fetch, headers: this.#headers, onMessage });
    try {
      await connection.start();
      if (this.#handshake !== undefined && request.method !== "initialize") await this.#renew(connection);
    } catch (error) {
      await connection.close().catch(() => undefined);
      throw error;
    }
    this.#connection = connection;
    return connection;
  }

  /** Requests that the server still works on keep their connection; new ones get another. */
  #retire(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
    this.#former.add(connection);
  }

  async #closeIdle(): Promise<void> {
    for (const connection of this.#former) {
      if (!connection.isIdle) continue;
      this.#former.delete(connection);
      await connection.close().catch(() => undefined);
    }
  }

  /** Begins the session anew, as the host has begun it. */
  async #renew(connection: Connection): Promise<void> {
    const { request, protocolVersion } = this.#handshake as Handshake;
    this.#renewals += 1;
    this.#renewal = { id: `mcp-oauth-proxy-${this.#renewals}` };
    await connection.send({ ...request, id: this.#renewal.id });
    const { result, error } = this.#renewal.answer ?? {};
    this.#renewal = undefined;
    const same = isJsonObject(result) && result.protocolVersion === protocolVersion;
    if (!same) throw new ExchangeFailed(error ?? { code: CANNOT_FORWARD, message: CHANGED_SERVER });
    await connection.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    this.#options.onRemark(
      "The server had ended the session; it has been begun anew. What was subscribed to in it is not any more.",
    );
  }

  /**
   * Where the refusal may be that of a server with the older transport, tries that (MCP 2025-03-26, "backwards
   * compatibility").
   *
   * @returns whether there is now a connection to send the request with.
   */
  async #triesOlder(connection: Connection, request: Request, error: unknown): Promise<boolean> {
    if (this.#hasWorked || connection.wire === "sse" || !(error instanceof ExchangeFailed)) return false;
    const { status } = error;
    if (status !== 404 && status !== 405 && !(status === 400 && request.method === "initialize")) return false;
    if (this.#connection === connection) {
      this.#retire(connection);
      this.#wire = "sse";
    }
    try {
      await this.#connected(request);
      return true;
    } catch {
      // What was said first is more to the point than that this did not work either.
      this.#wire = "http";
      return false;
    }
  }

  #fromServer(message: Message): void {
    this.#hasWorked = true;
    const id = answeredId(message);
    if (id !== undefined && id === this.#renewal?.id) {
      this.#renewal.answer = message;
      return;
    }
    const beginning = this.#beginning;
    if (id !== undefined && id === beginning?.id) {
      this.#beginning = undefined;
      const { result } = message;
      if (isJsonObject(result)) this.#handshake = { request: beginning, protocolVersion: result.protocolVersion };
    }
    this.#options.toHost(message);
  }

  get #occasion(): Occasion & { server: string } {
    return { server: this.#options.url.href, account: this.#options.account };
  }

  #answer({ id, method }: Request, reason: unknown): void {
    if (this.#beginning?.id === id) this.#beginning = undefined;
    const cutOff = { code: CANNOT_FORWARD, message: CUT_OFF };
    const error = this.#isClosing ? cutOff : toJsonRpcError(reason, this.#occasion);
    if (!this.#isClosing) this.#options.onRemark(`${inertText(method)}: ${error.message}`);
    this.#options.toHost({ jsonrpc: "2.0", id, error });
  }

  #refuse(code: number, message: string, id: RequestId | null = null): void {
    this.#options.toHost({ jsonrpc: "2.0", id, error: { code, message } });
  }
}
