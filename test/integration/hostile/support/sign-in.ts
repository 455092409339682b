// A sign-in at a server that misbehaves, and what must not have come of it.
import { type McpOAuthError, type McpOAuthErrorCode, memoryStore, type SignInFlow } from "mcp-oauth-client";
import { expect } from "vitest";
import type {
  RunningScriptedAuthorizationServer,
  ScriptedAuthorizationServerOptions,
} from "../../../servers/scripted-authorization-server.ts";
import { type RunningScriptedServer, startScriptedServer } from "../../../servers/scripted-server.ts";
import { shown } from "../../../support/failure.ts";
import { closing, failure, type Host, type HostOptions, startHost, startScripted } from "../../flow/support/harness.ts";
import type { HostileCase } from "./case.ts";

/** Where the parties of a case are. */
export interface Places {
  /** Origin of the misbehaving server. */
  readonly own: string;
  /** Origin of somebody whom no request may reach. */
  readonly victim: string;
}

/** How far an attack comes; whatever lies behind must not have happened. */
export type Stage = "discovery" | "registration" | "browser" | "token";

const STAGES: readonly Stage[] = ["discovery", "registration", "browser", "token"];

/** A case in which somebody signs in. */
export interface SignInCase extends HostileCase {
  /** What the server does otherwise than a good one. */
  readonly server: ScriptedAuthorizationServerOptions | ((places: Places) => ScriptedAuthorizationServerOptions);
  readonly host?: HostOptions;
  readonly ends: McpOAuthErrorCode | "signed in";
  /** What the error's message says: tells apart what has the same code. */
  readonly says?: RegExp;
  /** Default `discovery` for an error. */
  readonly reaches?: Stage;
  /** What else must be so when it has ended. */
  readonly check?: (parties: Parties, error?: McpOAuthError) => unknown;
  /** Paths of the server that no request may reach. */
  readonly untouched?: readonly string[];
  /** Default `auto`. */
  readonly flow?: SignInFlow;
}

/** The parties of a case while it runs. */
export interface Parties {
  readonly server: RunningScriptedAuthorizationServer;
  readonly victim: RunningScriptedServer;
  readonly host: Host;
  /** What the host was made with. */
  readonly options: HostOptions;
  /** The keys of all that was stored. */
  storedKeys(): Promise<string[]>;
}

/** What cases put where a secret belongs, and what the victim says. */
const PLANTED_SECRETS = ["the-secret", "the victim's secret"];

/** Starts a server that misbehaves, somebody whom no request may reach, and a host. */
export async function startParties(
  misbehaviour: ScriptedAuthorizationServerOptions | ((places: Places) => ScriptedAuthorizationServerOptions),
  options: HostOptions = {},
): Promise<Parties> {
  const victim = closing(await startScriptedServer({ "*": (_request, { text }) => text("the victim's secret") }));
  const server = await startScripted();
  const places = { own: server.url, victim: victim.url };
  Object.assign(server.options, typeof misbehaviour === "function" ? misbehaviour(places) : misbehaviour);
  const store = memoryStore();
  return { server, victim, host: startHost({ store, ...options }), options, storedKeys: () => store.keys() };
}

/** Nobody was reached who must not be, nothing was kept, and nothing secret shows. */
export async function expectUnharmed({ server, victim, host, storedKeys }: Parties, reaches: Stage): Promise<void> {
  const happened: Record<Stage, number> = {
    discovery: 0,
    registration: server.log.count("POST", "/register"),
    browser: host.opened.length,
    token: server.log.count("POST", "/token"),
  };
  for (const stage of STAGES.slice(STAGES.indexOf(reaches) + 1)) expect(happened[stage], stage).toBe(0);
  expect(victim.log.requests).toEqual([]);
  expect((await storedKeys()).filter((key) => key.startsWith("session/"))).toEqual([]);
  expect(await host.tokens.status()).toEqual([]);
}

/** What was sent to a token endpoint and came from it, none of which anybody may see. */
export function secretsOf({ server }: Parties): string[] {
  const forms = server.log.find("POST", "/token").map(({ body }) => new URLSearchParams(body));
  const sent = forms.flatMap((form) => ["code", "code_verifier", "refresh_token"].map((name) => form.get(name) ?? ""));
  return [...sent, ...server.accessTokens.keys(), ...server.refreshTokens.keys()].filter((secret) => secret !== "");
}

/** Signs in, and holds what comes of it against the case. */
export async function runSignIn(each: SignInCase): Promise<void> {
  const parties = await startParties(each.server, each.host);
  const { server, victim, host } = parties;
  const outcome = host.tokens.signIn(server.mcpUrl, each.flow === undefined ? {} : { flow: each.flow });
  const signIn = outcome.finally(() => {
    for (const path of each.untouched ?? []) expect(server.log.find("*", path), path).toEqual([]);
  });
  if (each.ends === "signed in") {
    const { accessToken } = await signIn;
    expect([...server.accessTokens.keys()]).toContain(accessToken.reveal());
    expect(victim.log.requests).toEqual([]);
    await each.check?.(parties);
    return;
  }
  const error = await failure(signIn, each.ends);
  if (each.says !== undefined) expect(error.message).toMatch(each.says);
  await expectUnharmed(parties, each.reaches ?? "discovery");
  const visible = shown([error, host.events]);
  for (const secret of [...secretsOf(parties), ...PLANTED_SECRETS]) expect(visible).not.toContain(secret);
  await each.check?.(parties, error);
  expect(Object.keys(Object.prototype)).toEqual([]);
}
