// What the demo is played on: two real servers on loopback, a place for tokens, and the person. Closing it leaves nothing
// behind.
import { openInBrowser, TokenManager, type TokenManagerOptions, terminalPrompt } from "mcp-oauth-client";
import { type RunningAuthorizationServer, startAuthorizationServer } from "../../test/servers/authorization-server.ts";
import { type RunningProtectedMcpServer, startProtectedMcpServer } from "../../test/servers/protected-mcp-server.ts";
import { UserAgent } from "../../test/servers/user-agent.ts";
import { App } from "./app.ts";
import { Journal } from "./journal.ts";
import type { Report } from "./report.ts";
import { type DemoStore, openDemoStore } from "./store.ts";

/** Long enough for any step, short enough to wait for its end. */
export const TOKEN_SECONDS = 3;

export type Person = "played" | "real";

export class Stage {
  readonly report: Report;
  readonly person: Person;
  readonly authorizationServer: RunningAuthorizationServer;
  readonly mcpServer: RunningProtectedMcpServer;
  readonly store: DemoStore;
  readonly journal: Journal;
  readonly #apps: App[] = [];
  #isClosing = false;

  constructor(parts: Pick<Stage, "report" | "person" | "authorizationServer" | "mcpServer" | "store">) {
    this.report = parts.report;
    this.person = parts.person;
    this.authorizationServer = parts.authorizationServer;
    this.mcpServer = parts.mcpServer;
    this.store = parts.store;
    this.journal = new Journal({ "MCP server": parts.mcpServer.log, "auth server": parts.authorizationServer.log });
  }

  /** Each start of the app has a token manager of its own, and so nothing but the store from the one before. */
  startApp(): App {
    if (this.#isClosing) throw new Error("The demo is over.");
    const person: Partial<TokenManagerOptions> =
      this.person === "played"
        ? { openBrowser: (url) => new UserAgent({ login: "alice" }).open(url) }
        : { openBrowser: (url) => this.#askPerson(url), prompt: terminalPrompt() };
    const app = new App(new TokenManager({ clientName: "Demo app", store: this.store.open(), ...person }));
    this.#apps.push(app);
    return app;
  }

  #askPerson(url: URL): unknown {
    this.report.aside("Please sign in, with any name and any password, and press Allow.");
    return openInBrowser(url);
  }

  /** Whatever state the demo is in: ends the app, empties the store, stops the servers. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const endings = [
      ...this.#apps.map((app) => () => app.end()),
      () => this.store.remove(),
      () => this.mcpServer.close(),
      () => this.authorizationServer.close(),
    ];
    const failures: unknown[] = [];
    for (const end of endings) await end().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

export async function openStage(report: Report, person: Person): Promise<Stage> {
  const authorizationServer = await startAuthorizationServer({
    accessTokenSeconds: TOKEN_SECONDS,
    // Of these both kinds can be revoked; a token that carries its own proof of validity ends with its session only.
    accessTokenFormat: "opaque",
  });
  const { verifyAccessToken, issuer } = authorizationServer;
  const mcpServer = await startProtectedMcpServer({ sdk: "v2", verifyAccessToken, authorizationServers: [issuer] });
  try {
    const store = await openDemoStore();
    return new Stage({ report, person, authorizationServer, mcpServer, store });
  } catch (error) {
    await mcpServer.close();
    await authorizationServer.close();
    throw error;
  }
}
