import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { isJsonObject } from "../../core/json.ts";
import type { SdkTransport, SdkTransports } from "../sdk/transport.ts";
import { Exchange } from "./exchange.ts";
import { ExchangeFetch, type ExchangeFetchOptions, type Wire } from "./exchange-fetch.ts";
import { answeredId, isMessage, isRequest, keyOf, type Message, type RequestId } from "./json-rpc.ts";
import { revisionOf } from "./wire-headers.ts";

export interface ConnectionOptions extends Pick<ExchangeFetchOptions, "fetch" | "headers"> {
  readonly wire: Wire;
  readonly sdk: SdkTransports;
  readonly url: URL;
  /** Takes what the server sends. */
  readonly onMessage: (message: Message) => void;
}

/** Streams break when networks change and machines sleep: they are taken up again for as long as the host runs. */
const RECONNECTION = {
  initialReconnectionDelay: 500,
  maxReconnectionDelay: 30_000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: Number.POSITIVE_INFINITY,
};
/** How long a server of the older transport may take to say where to post. */
const ENDPOINT_WAIT_MS = 10_000;

/**
 * One connection to the remote server, over a transport of the SDK that is there. It passes messages on as they are; that
 * they arrive, or fail with a reason, is the business of {@link ExchangeFetch}.
 */
export class Connection {
  readonly wire: Wire;
  readonly #options: ConnectionOptions;
  readonly #transport: SdkTransport;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #fetch: ExchangeFetch;
  /** Which message an HTTP request is for: the SDK does not say, but it asks within the call that sends the message. */
  readonly #current = new AsyncLocalStorage<Exchange>();

  constructor(options: ConnectionOptions) {
    const { wire, sdk, url } = options;
    this.wire = wire;
    this.#options = options;
    this.#fetch = new ExchangeFetch({
      ...options,
      server: url.href,
      exchange: () => this.#current.getStore(),
      onBroken: (error) => {
        for (const exchange of this.#exchanges.values()) exchange.fail(error);
      },
    });
    const Transport = wire === "http" ? sdk.StreamableHTTPClientTransport : sdk.SSEClientTransport;
    this.#transport = new Transport(url, {
      fetch: (input, init) => this.#fetch.run(input, init),
      reconnectionOptions: RECONNECTION,
    });
    this.#transport.onmessage = (message) => this.#receive(message);
    // What concerns a message comes out of its exchange; here the SDK says it once more.
    this.#transport.onerror = () => undefined;
  }

  /** Whether it can carry nothing more; the session of the older transport is one stream. */
  get isBroken(): boolean {
    return this.#fetch.isBroken;
  }

  /** Whether no request waits for its answer here. */
  get isIdle(): boolean {
    return this.#exchanges.size === 0;
  }

  get isClosed(): boolean {
    return this.#fetch.isClosed;
  }

  /** @throws what `fetch` throws; any error when the server does not speak this transport. */
  async start(): Promise<void> {
    if (this.wire === "http") return this.#transport.start();
    const tooLate = this.#fetch.streamIsOpen.then(async () => {
      await sleep(ENDPOINT_WAIT_MS, undefined, { ref: false });
      throw new Error("the server opened a stream and did not say where to post");
    });
    await Promise.race([this.#transport.start(), tooLate]);
  }

  /**
   * Sends a message. For a request this ends when it has been answered or cancelled, for anything else when the server
   * has it.
   *
   * @throws SessionLost, ExchangeFailed, and what `fetch` throws.
   */
  async send(message: Message): Promise<void> {
    const exchange = new Exchange(message);
    if (isRequest(message)) this.#exchanges.set(keyOf(message.id), exchange);
    const onresumptiontoken = (): void => {
      exchange.isResumable = true;
    };
    try {
      const sent = this.#current.run(exchange, () => this.#transport.send(message, { onresumptiontoken }));
      await (isRequest(message) ? Promise.race([sent.then(() => exchange.outcome), exchange.outcome]) : sent);
    } finally {
      exchange.end();
      if (isRequest(message)) this.#exchanges.delete(keyOf(message.id));
    }
  }

  /**
   * Gives a request up. From 2026-07-28 on that is done by closing its stream (Streamable HTTP, "cancellation"). In
   * earlier revisions it is closed as well, so that a request which still waits for a sign-in does not go out after it.
   *
   * @returns whether that was all; if not, the server has to be told by a notification. `undefined` for a request that
   * is not under way here.
   */
  cancel(id: RequestId): boolean | undefined {
    const exchange = this.#exchanges.get(keyOf(id));
    if (exchange === undefined) return undefined;
    const byClosing = this.wire === "http" && revisionOf(exchange.message) !== undefined;
    exchange.end();
    exchange.controller.abort();
    return byClosing;
  }

  /** Ends the session on the server, where there is one. */
  async terminate(): Promise<void> {
    await this.#transport.terminateSession?.();
  }

  async close(): Promise<void> {
    this.#fetch.close();
    for (const exchange of this.#exchanges.values()) exchange.fail(new Error("the connection was closed"));
    await this.#transport.close();
  }

  #receive(message: unknown): void {
    // The SDK has read it by its schema; this tells the types so.
    if (!isMessage(message)) return;
    const id = answeredId(message);
    const exchange = id === undefined ? undefined : this.#exchanges.get(keyOf(id));
    if (exchange !== undefined) this.#learn(exchange.message, message.result);
    this.#options.onMessage(message);
    exchange?.end();
  }

  /** What later requests have to say of what has been answered. */
  #learn({ method }: Message, result: unknown): void {
    if (!isJsonObject(result)) return;
    const { protocolVersion, tools } = result;
    if (method === "initialize" && typeof protocolVersion === "string") {
      this.#transport.setProtocolVersion?.(protocolVersion);
    }
    if (method === "tools/list" && Array.isArray(tools)) this.#options.headers.learn(tools);
  }
}
