// What every test of a sign-in needs: servers that end with the test, a token manager that keeps nothing, a person who
// plays the browser, and the events.
import {
  findMcpOAuthError,
  type McpOAuthError,
  type McpOAuthErrorCode,
  type McpOAuthEvent,
  type McpOAuthEventName,
  memoryStore,
  TokenManager,
  type TokenManagerOptions,
} from "mcp-oauth-client";
import { afterEach, expect } from "vitest";
import type { RequestLog } from "../../../servers/request-log.ts";
import {
  type RunningScriptedAuthorizationServer,
  type ScriptedAuthorizationServerOptions,
  scriptedAuthorizationServer,
} from "../../../servers/scripted-authorization-server.ts";
import { UserAgent, type VisitedPage } from "../../../servers/user-agent.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Closes something when the test ends. */
export function closing<Closable extends { close(): unknown }>(closable: Closable): Closable {
  cleanups.push(() => closable.close());
  return closable;
}

export async function startScripted(
  options: ScriptedAuthorizationServerOptions = {},
): Promise<RunningScriptedAuthorizationServer> {
  return closing(await scriptedAuthorizationServer(options));
}

export interface Host {
  readonly tokens: TokenManager;
  /** The authorization URLs that were opened, in order. */
  readonly opened: URL[];
  /** Waits until so many have been opened, and gives the last of them. */
  whenOpened(count?: number): Promise<URL>;
  /** Where each of them ended, as the person saw it. */
  readonly pages: Promise<VisitedPage>[];
  readonly events: McpOAuthEvent[];
  /** The events of one name. */
  told<Name extends McpOAuthEventName>(name: Name): McpOAuthEvent<Name>[];
}

export interface HostOptions extends Partial<TokenManagerOptions> {
  /** Who sits in front of the browser. Default: alice, who says yes. `nobody` opens it and goes away. */
  person?: UserAgent | "nobody";
}

/** A host application with a person in front of it. */
export function startHost({ person = new UserAgent(), ...options }: HostOptions = {}): Host {
  const opened: URL[] = [];
  const pages: Promise<VisitedPage>[] = [];
  const events: McpOAuthEvent[] = [];
  const waiting: (() => void)[] = [];
  const openBrowser = async (url: URL): Promise<void> => {
    opened.push(url);
    for (const look of waiting) look();
    // As a real launcher: returns when the browser has started, not when the person is done.
    if (person !== "nobody") pages.push(person.open(url));
  };
  const whenOpened = (count = 1): Promise<URL> =>
    new Promise((resolve) => {
      const look = (): void => {
        const url = opened[count - 1];
        if (url !== undefined) resolve(url);
      };
      waiting.push(look);
      look();
    });
  const tokens = closing(new TokenManager({ clientName: "Test Host", store: memoryStore(), openBrowser, ...options }));
  tokens.on("*", (event) => events.push(event));
  const told = <Name extends McpOAuthEventName>(name: Name): McpOAuthEvent<Name>[] =>
    events.filter((event) => event.type === name) as McpOAuthEvent<Name>[];
  return { tokens, opened, whenOpened, pages, events, told };
}

/**
 * Waits for a call to fail with one of our errors, and gives it. With a server, the error and its message have to name
 * that server.
 */
export async function failure(
  call: Promise<unknown>,
  code: McpOAuthErrorCode,
  server?: URL | string,
): Promise<McpOAuthError> {
  const thrown = await call.then(
    (value) => expect.fail(`expected ${code}, got ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  const error = findMcpOAuthError(thrown);
  if (error === undefined) throw thrown;
  expect(error.code, error.message).toBe(code);
  if (server !== undefined) {
    expect(error.server).toBe(String(server));
    expect(error.message).toContain(new URL(server).host);
  }
  return error;
}

/** Every request as `METHOD /path`, in order. */
export function paths({ requests }: RequestLog): string[] {
  return requests.map(({ method, path }) => `${method} ${path}`);
}

/** The redirect URI that a host listens on for an authorization request, with other parameters. */
export function callbackOf(authorizationUrl: URL, parameters: Record<string, string> = {}): URL {
  const url = new URL(authorizationUrl.searchParams.get("redirect_uri") ?? "");
  for (const [name, value] of Object.entries(parameters)) url.searchParams.append(name, value);
  return url;
}
