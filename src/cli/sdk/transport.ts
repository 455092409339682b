import type { Fetch } from "../../core/http.ts";

/** A client transport of either official SDK, as far as it is used here. */
export interface SdkTransport {
  start(): Promise<void>;
  send(message: unknown, options?: { onresumptiontoken?: (token: string) => void }): Promise<void>;
  close(): Promise<void>;
  setProtocolVersion?(version: string): void;
  /** Ends the session on the server by DELETE; Streamable HTTP only. */
  terminateSession?(): Promise<void>;
  onmessage?: (message: unknown) => void;
  onerror?: (error: Error) => void;
}

export interface ReconnectionOptions {
  readonly initialReconnectionDelay: number;
  readonly maxReconnectionDelay: number;
  readonly reconnectionDelayGrowFactor: number;
  readonly maxRetries: number;
}

export interface TransportOptions {
  readonly fetch: Fetch;
  readonly reconnectionOptions?: ReconnectionOptions;
}

type TransportClass = new (url: URL, options: TransportOptions) => SdkTransport;

/** The two ways to a remote server, out of whichever SDK is there. */
export interface SdkTransports {
  readonly StreamableHTTPClientTransport: TransportClass;
  readonly SSEClientTransport: TransportClass;
}
