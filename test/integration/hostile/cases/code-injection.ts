// Codes that are not the answer to the question, and questions that others could answer.
// biome-ignore-all format: a table has a line for each entry
import { createHash } from "node:crypto";
import type { McpOAuthErrorCode, PromptForRedirect, RedirectReceiver } from "mcp-oauth-client";
import { expect } from "vitest";
import type { ScriptedOverride } from "../../../servers/scripted-authorization-server.ts";
import { withLocationQuery } from "../../../servers/scripted-server.ts";
import { callbackOf } from "../../flow/support/harness.ts";
import type { HostileCase } from "../support/case.ts";
import type { Parties, SignInCase } from "../support/sign-in.ts";

const NOT_SENT = "no code is sent to anybody";
const NOT_STARTED = "no sign-in is started that it does not protect";

const response = (changes: Record<string, string | undefined>): ScriptedOverride => async (_request, usual) =>
  withLocationQuery(await usual(), changes);
const withText = (text: string): ScriptedOverride => async (_request, usual) => {
  const location = (await usual()).headers.get("location");
  return new Response(null, { status: 302, headers: { location: `${location}&${text}` } });
};
const pkce = (methods: readonly string[] | undefined) => ({ metadata: { code_challenge_methods_supported: methods } });
const noIssuer = { metadata: { authorization_response_iss_parameter_supported: undefined } };

/** A host's own receiver, which hands on whatever comes. */
const careless = (answer: (state: string) => Record<string, string>): RedirectReceiver => ({
  open: async () => ({
    redirectUri: "http://127.0.0.1:1/callback",
    arrival: async (state) => ({ parameters: new URLSearchParams(answer(state)), respond: async () => undefined }),
    close: async () => undefined,
  }),
});

/** The verifier that was sent is the one of the challenge that was opened. */
function expectOwnVerifier({ host, server }: Parties): void {
  const verifier = new URLSearchParams(server.log.find("POST", "/token")[0]?.body).get("code_verifier") ?? "";
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  expect(host.opened[0]?.searchParams.get("code_challenge")).toBe(challenge);
}

/** Each parameter once, and ours. */
function expectOwnParameters({ host }: Parties): void {
  const parameters = host.opened[0]?.searchParams ?? new URLSearchParams();
  for (const name of ["state", "code_challenge", "code_challenge_method", "client_id", "redirect_uri"]) {
    expect(parameters.getAll(name), name).toHaveLength(1);
    expect(parameters.get(name), name).not.toBe("planted");
  }
  expect(parameters.get("code_challenge_method")).toBe("S256");
}

const asked = "response_type=code&state=planted&code_challenge=planted&code_challenge_method=plain";

export const signInInjections: readonly SignInCase[] = [
  { id: "code-absent", does: "answers without a code", must: "there is nothing to redeem", server: { authorize: response({ code: undefined }) }, ends: "invalid_authorization_response", reaches: "browser" },
  { id: "code-empty", does: "answers with an empty code", must: "there is nothing to redeem", server: { authorize: response({ code: "" }) }, ends: "invalid_authorization_response", reaches: "browser" },
  { id: "code-twice", does: "answers with two codes", must: NOT_SENT, server: { authorize: withText("code=planted") }, ends: "invalid_authorization_response", reaches: "browser" },
  { id: "code-state-twice", does: "answers with two states, the right one first", must: NOT_SENT, server: { authorize: withText("state=planted") }, ends: "invalid_authorization_response", reaches: "browser", proves: "STATE-1" },
  { id: "code-error-twice", does: "answers with two errors", must: "neither is believed", server: { authorize: withText("error=access_denied&error=server_error") }, ends: "invalid_authorization_response", reaches: "browser" },
  { id: "code-and-error", does: "answers with an error and a code beside it", must: "the code is not redeemed", server: { authorize: withText("error=access_denied") }, ends: "authorization_denied", reaches: "browser" },
  { id: "code-in-jwt", does: "answers with a JWT that nobody asked for", must: NOT_SENT, server: { authorize: withText("response=eyJh") }, ends: "invalid_authorization_response", reaches: "browser" },
  { id: "code-state-other", does: "answers with another state, past a host's careless receiver", must: NOT_SENT, server: noIssuer, host: { redirectReceiver: careless(() => ({ code: "planted", state: "other" })), person: "nobody" }, ends: "invalid_authorization_response", reaches: "browser", proves: "STATE-1" },
  { id: "code-state-absent", does: "answers without a state, past a host's careless receiver", must: NOT_SENT, server: noIssuer, host: { redirectReceiver: careless(() => ({ code: "planted" })), person: "nobody" }, ends: "invalid_authorization_response", reaches: "browser", proves: "STATE-1" },
  { id: "code-state-beginning", does: "answers with the beginning of the state, past a host's careless receiver", must: NOT_SENT, server: noIssuer, host: { redirectReceiver: careless((state) => ({ code: "planted", state: state.slice(0, -1) })), person: "nobody" }, ends: "invalid_authorization_response", reaches: "browser", proves: "STATE-1" },
  { id: "code-of-another-session", does: "answers with a code that was issued for somebody else's challenge", must: "it is sent with our verifier, and refused", server: { authorize: response({ code: "of-somebody-else" }) }, check: expectOwnVerifier, ends: "token_request_failed", reaches: "token", proves: "PKCE-1" },
  { id: "code-parameters-planted", does: "has a state, a challenge and a method in its endpoint's query", must: "ours take their place", server: ({ own }) => ({ metadata: { authorization_endpoint: `${own}/authorize?${asked}&client_id=planted&redirect_uri=planted` } }), check: expectOwnParameters, ends: "signed in" },
  { id: "code-pkce-unsaid", does: "does not say that it supports PKCE", must: NOT_STARTED, server: pkce(undefined), ends: "pkce_unsupported", proves: "PKCE-3" },
  { id: "code-pkce-plain", does: "supports PKCE with plain only", must: NOT_STARTED, server: pkce(["plain"]), ends: "pkce_unsupported" },
  { id: "code-pkce-none", does: "supports PKCE with no method", must: NOT_STARTED, server: pkce([]), ends: "pkce_unsupported" },
  { id: "code-pkce-lower-case", does: "supports PKCE with a method that is spelled s256", must: NOT_STARTED, server: pkce(["s256"]), ends: "pkce_unsupported" },
];

/** What arrives at the listener while somebody signs in. */
export interface ForgedCallbackCase extends HostileCase {
  readonly send: (authorizationUrl: URL) => Promise<Response>;
}

const WAITS = "it is turned away, and the sign-in goes on";

export const forgedCallbacks: readonly ForgedCallbackCase[] = [
  { id: "code-forged-state", does: "sends a code with a guessed state to the listener", must: WAITS, send: (url) => fetch(callbackOf(url, { code: "planted", state: "guessed" })), proves: "STATE-1, STATE-2" },
  { id: "code-forged-stateless", does: "sends a code without a state to the listener", must: WAITS, send: (url) => fetch(callbackOf(url, { code: "planted" })), proves: "STATE-1, STATE-2" },
  { id: "code-forged-error", does: "sends an error with a guessed state to the listener", must: WAITS, send: (url) => fetch(callbackOf(url, { error: "access_denied", state: "guessed" })), proves: "STATE-2" },
  { id: "code-forged-form", does: "posts a code with a guessed state to the listener", must: WAITS, send: (url) => fetch(callbackOf(url), { method: "POST", body: new URLSearchParams({ code: "planted", state: "guessed" }) }), proves: "STATE-2" },
];

/** What is pasted in place of the address that the browser ended on. */
export interface PasteCase extends HostileCase {
  readonly pasted: (callback: (parameters: Record<string, string>) => URL, state: string) => string;
  readonly ends: McpOAuthErrorCode;
}

export const pasteCases: readonly PasteCase[] = [
  { id: "paste-other-state", does: "has a person paste the address of another sign-in", must: NOT_SENT, pasted: (callback) => callback({ code: "planted", state: "other" }).href, ends: "invalid_authorization_response", proves: "STATE-1" },
  { id: "paste-no-state", does: "has a person paste a bare code", must: NOT_SENT, pasted: (callback) => callback({ code: "planted" }).href, ends: "invalid_authorization_response", proves: "STATE-1" },
  { id: "paste-other-issuer", does: "has a person paste an answer of another issuer", must: NOT_SENT, pasted: (callback, state) => callback({ code: "planted", state, iss: "https://other.example.com" }).href, ends: "issuer_mismatch", proves: "ISS-2" },
  { id: "paste-two-codes", does: "has a person paste an answer with two codes", must: NOT_SENT, pasted: (callback, state) => `${callback({ code: "planted", state, iss: "OWN" }).href}&code=other`, ends: "invalid_authorization_response" },
  { id: "paste-long", does: "has a person paste 100 KiB", must: NOT_SENT, pasted: (callback, state) => callback({ code: "c".repeat(100 * 1024), state }).href, ends: "invalid_authorization_response" },
];

/** A prompt that a person answers with always the same. */
export function promptFor(pasted: PasteCase["pasted"], issuer: string): PromptForRedirect {
  return async ({ authorizationUrl }) => {
    const url = new URL(authorizationUrl);
    const callback = (parameters: Record<string, string>): URL =>
      callbackOf(url, parameters.iss === "OWN" ? { ...parameters, iss: issuer } : parameters);
    return pasted(callback, url.searchParams.get("state") ?? "");
  };
}
