import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { TokenManager } from "mcp-oauth-client";

/** The app that the demo watches: what is in here is all that a host writes. */
export class App {
  readonly tokens: TokenManager;
  readonly #client = new Client({ name: "demo-app", version: "1.0.0" });

  constructor(tokens: TokenManager) {
    this.tokens = tokens;
  }

  async connect(url: URL): Promise<void> {
    const transport = new StreamableHTTPClientTransport(url, { fetch: this.tokens.fetch(url) });
    // A person at a real browser may need longer than the SDK's 60 seconds.
    await this.#client.connect(transport, { timeout: 300_000 });
  }

  /** Calls the server's tool `whoami`. */
  async whoAmI(): Promise<string> {
    const { content } = await this.#client.callTool({ name: "whoami" });
    const [first] = content as { text?: string }[];
    return (JSON.parse(first?.text ?? "{}") as { subject?: string }).subject ?? "nobody";
  }

  async end(): Promise<void> {
    await this.#client.close();
    await this.tokens.close();
  }
}
