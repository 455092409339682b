// Answers that are too large, come too late, or never end.
// biome-ignore-all format: a table has a line for each entry
import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import type { ScriptedOverride } from "../../../servers/scripted-authorization-server.ts";
import type { ScriptedRoute } from "../../../servers/scripted-server.ts";
import { DEVICE_GRANT } from "../../grants/support/device-server.ts";
import { patient, WaitingClock } from "../../grants/support/waiting-clock.ts";
import type { HostileCase } from "../support/case.ts";
import type { Places, SignInCase, Stage } from "../support/sign-in.ts";

const RESOURCE_METADATA = "/.well-known/oauth-protected-resource/mcp";
const SERVER_METADATA = "/.well-known/oauth-authorization-server";

/** White space, which JSON may have in any amount before what it says. */
const PADDING = " ".repeat(1.5 * 1024 * 1024);
const TOO_LARGE = "it is not read to its end";

/** The usual answer after a lot of nothing. */
const padded: ScriptedOverride = async (_request, usual) => {
  const answer = await usual();
  return new Response(PADDING + (await answer.text()), { status: answer.status, headers: answer.headers });
};

const resourceMetadata = ({ own }: Places): string =>
  JSON.stringify({ resource: `${own}/mcp`, authorization_servers: [own] });
const json = { "content-type": "application/json" };
const large = (text: string): ScriptedRoute => () => new Response(PADDING + text, { headers: json });
const compressed = (text: string): ScriptedRoute => () =>
  new Response(new Uint8Array(gzipSync(PADDING + text)), { headers: { ...json, "content-encoding": "gzip" } });
/** Promises more than it sends, and goes away. */
const cutOff = (text: string): ScriptedRoute => () =>
  new Response(text, { headers: { ...json, connection: "close", "content-length": String(text.length + 1000) } });

const serverMetadata = ({ own }: Places): string =>
  JSON.stringify({
    issuer: own,
    authorization_endpoint: `${own}/authorize`,
    token_endpoint: `${own}/token`,
    registration_endpoint: `${own}/register`,
    code_challenge_methods_supported: ["S256"],
  });

export const sizeCases: readonly SignInCase[] = [
  { id: "size-metadata", does: "publishes 1.5 MiB of metadata", must: TOO_LARGE, server: (at) => ({ routes: { [RESOURCE_METADATA]: large(resourceMetadata(at)) } }), ends: "invalid_response", says: /more than/, proves: "SSRF-6" },
  { id: "size-metadata-compressed", does: "publishes 1.5 MiB of metadata in 2 KiB of gzip", must: "what counts is what comes out", server: (at) => ({ routes: { [RESOURCE_METADATA]: compressed(resourceMetadata(at)) } }), ends: "invalid_response", says: /more than/, proves: "SSRF-6" },
  { id: "size-server-metadata", does: "publishes 1.5 MiB of authorization server metadata", must: TOO_LARGE, server: (at) => ({ routes: { [SERVER_METADATA]: large(serverMetadata(at)) } }), ends: "invalid_response", says: /more than/, proves: "SSRF-6" },
  { id: "size-registration", does: "answers a registration with 1.5 MiB", must: TOO_LARGE, server: { register: padded }, ends: "invalid_response", says: /more than/, reaches: "registration" },
  { id: "size-token", does: "answers a code with 1.5 MiB", must: TOO_LARGE, server: { token: padded }, ends: "invalid_response", says: /more than/, reaches: "token" },
  { id: "size-refusal", does: "refuses a code in 1.5 MiB", must: TOO_LARGE, server: { token: (_request, _usual, { text }) => text(`${PADDING}{"error":"invalid_grant"}`, 400, json) }, ends: "invalid_response", says: /more than/, reaches: "token" },
  { id: "size-cut-off", does: "promises more bytes of metadata than it sends, though what it sent is whole", must: "what was cut off is not used", server: (at) => ({ routes: { [RESOURCE_METADATA]: cutOff(resourceMetadata(at)) } }), ends: "network_failed" },
  { id: "size-probe", does: "answers the first request of a sign-in with a stream that never ends", must: "nobody reads it", server: { mcp: (_request, _usual, { endless }) => endless() }, ends: "signed in", proves: "SSRF-6" },
  { id: "size-scopes", does: "names 2,000 scopes, so that the authorization URL is longer than a command line", must: "no browser gets half of it", server: { protectedResource: { scopes_supported: Array.from({ length: 2000 }, (_, index) => `scope-${index}`) } }, ends: "insecure_url", says: /longer than/, reaches: "registration" },
  { id: "time-retry-after", does: "wants to be asked again in thirty years", must: "no longer than a day is believed", server: { token: (_request, _usual, { text }) => text('{"error":"slow_down"}', 429, { ...json, "retry-after": "946080000" }) }, check: (_parties, error) => expect(error?.retryAfterMs).toBe(86_400_000), ends: "token_request_failed", reaches: "token", proves: "ERR-3" },
  { id: "time-nonce-loop", does: "asks for another nonce each time", must: "it gets one", server: { metadata: { dpop_signing_alg_values_supported: ["ES256"] }, token: (_request, _usual, helpers) => helpers.json({ error: "use_dpop_nonce" }, 400, { "dpop-nonce": "n" }) }, host: { dpop: "require" }, check: ({ server }) => expect(server.log.count("POST", "/token")).toBe(2), ends: "token_request_failed", reaches: "token", proves: "DPOP-5" },
  { id: "time-poll-interval", does: "wants a device to poll every millisecond", must: "a second is the least", server: deviceServer(0.001), host: { clock: new WaitingClock(), ...patient, devicePrompt: () => undefined }, flow: "device", check: ({ options }) => expectWaits(options.clock), ends: "authorization_denied", reaches: "token", proves: "DEV-3" },
];

/** A device sign-in that nobody finishes. */
function deviceServer(interval: number): SignInCase["server"] {
  return ({ own }) => {
    let polls = 0;
    return {
      metadata: { device_authorization_endpoint: `${own}/device`, grant_types_supported: [DEVICE_GRANT] },
      routes: {
        "POST /device": (_request, helpers) =>
          helpers.json({ device_code: "d", user_code: "u", verification_uri: `${own}/a`, expires_in: 1800, interval }),
      },
      token: (_request, _usual, helpers) =>
        helpers.json({ error: ++polls < 5 ? "authorization_pending" : "access_denied" }, 400),
    };
  };
}

function expectWaits(clock: unknown): void {
  const { waits } = clock as WaitingClock;
  expect(waits.length).toBeGreaterThanOrEqual(5);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(1000);
}

/** An answer that does not come. */
export interface StallCase extends HostileCase {
  /** The request that is not answered. */
  readonly at: string;
  /** What has come by then. */
  readonly after: "nothing" | "the head";
  readonly reaches: Stage;
}

const DEADLINE = "it is waited for until the deadline, and not longer";

export const stallCases: readonly StallCase[] = [
  { id: "time-stall-server", does: "does not answer the first request", must: DEADLINE, at: "POST /mcp", after: "nothing", reaches: "discovery", proves: "ERR-3" },
  { id: "time-stall-metadata", does: "does not answer with its metadata", must: DEADLINE, at: `GET ${RESOURCE_METADATA}`, after: "nothing", reaches: "discovery", proves: "SSRF-6" },
  { id: "time-stall-metadata-body", does: "sends a part of its metadata and stops", must: DEADLINE, at: `GET ${RESOURCE_METADATA}`, after: "the head", reaches: "discovery", proves: "SSRF-6" },
  { id: "time-stall-server-metadata", does: "does not answer with the authorization server's metadata", must: DEADLINE, at: `GET ${SERVER_METADATA}`, after: "nothing", reaches: "discovery", proves: "SSRF-6" },
  { id: "time-stall-registration", does: "does not answer a registration", must: DEADLINE, at: "POST /register", after: "nothing", reaches: "registration", proves: "ERR-3" },
  { id: "time-stall-token", does: "does not answer a code", must: DEADLINE, at: "POST /token", after: "nothing", reaches: "token", proves: "ERR-3" },
  { id: "time-stall-token-body", does: "sends a part of a token and stops", must: DEADLINE, at: "POST /token", after: "the head", reaches: "token", proves: "ERR-3" },
];

/** Somebody who keeps a request, or a person, busy for ever. */
export interface LoopCase extends HostileCase {
  readonly kind: "nobody returns" | "token refused" | "more scopes" | "revocation";
}

export const loopCases: readonly LoopCase[] = [
  { id: "time-nobody-returns", does: "never sends the person back", must: "the sign-in ends after five minutes, and nobody listens any more", kind: "nobody returns", proves: "ERR-3" },
  { id: "time-refusal-loop", does: "refuses each token that is issued for it", must: "the second one ends it", kind: "token refused", proves: "CHL-10" },
  { id: "time-step-up-loop", does: "wants other scopes after each sign-in", must: "a person is asked three times at most", kind: "more scopes" },
  { id: "time-stall-revocation", does: "does not answer a revocation", must: "the session ends here after ten seconds all the same", kind: "revocation" },
];
