// The small interface behind which every contestant stands. How to add one: see README.md here.

/** What a contestant is given. */
export interface PeerSettings {
  /** A folder for what outlives the process. Absent: nothing does. */
  readonly state?: string;
  /** Shows an address to the person, as a browser would; returns before they are done. */
  readonly openBrowser: (url: URL) => void;
}

/** A way to use protected MCP servers. */
export interface Peer {
  /**
   * Connects to a server, with a sign-in where it asks for one: resolves when the client can call tools.
   *
   * @param server the URL of its endpoint, Streamable HTTP.
   */
  connect(server: string): Promise<Connection>;
  close(): Promise<void>;
}

export interface Connection {
  /** Calls the tool `echo` and gives its answer. */
  call(text: string): Promise<string>;
}

export type CreatePeer = (settings: PeerSettings) => Promise<Peer>;
