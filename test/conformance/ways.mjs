// The columns of the table: how a client gets its tokens onto requests, and what that way cannot do.

/**
 * @typedef {object} Way
 * @property {string} name as in client/ways.ts
 * @property {string} title
 * @property {string} wire the protocol version that the suite's server speaks
 * @property {boolean} [isPeer] somebody else's client, for comparison: what it fails is no failure of ours
 * @property {Record<string, string>} [cannot] scenarios that are known not to work this way, and why
 * @property {string[]} [otherErrors] scenarios that end as they must, but with an error that is not ours
 */

const NO_DPOP =
  "the SDK puts the token on requests itself, as a bearer token; proofs it takes only from a class of its own, which this library does not load";
const NO_DPOP_V1 = "the SDK puts the token on requests itself, as a bearer token, and has no place for a proof";
const NO_SCOPE_V1 = "the SDK does not tell a provider which scope a 403 asks for";
const NO_403 = "the SDK hands a 403 to nobody";

// The suite has both wires for every scenario; each way is run on the newest that it can speak.
const WIRE_2026 = "2026-07-28";
const WIRE_2025 = "2025-11-25";

/** @type {Way[]} */
export const ways = [
  { name: "raw", title: "tokens.fetch, no SDK", wire: WIRE_2026 },
  { name: "v2-fetch", title: "tokens.fetch, SDK v2", wire: WIRE_2026 },
  { name: "v2-fetch", title: "tokens.fetch, SDK v2", wire: WIRE_2025 },
  { name: "v1-fetch", title: "tokens.fetch, SDK v1", wire: WIRE_2025 },
  {
    name: "v2-authProvider",
    title: "tokens.authProvider, SDK v2",
    wire: WIRE_2026,
    cannot: { dpop: NO_DPOP, "dpop-nonce": NO_DPOP },
    otherErrors: ["scope-retry-limit"],
  },
  {
    name: "v1-authProvider",
    title: "tokens.authProvider, SDK v1",
    wire: WIRE_2025,
    cannot: { dpop: NO_DPOP_V1, "dpop-nonce": NO_DPOP_V1, "scope-step-up": NO_SCOPE_V1 },
    otherErrors: ["scope-retry-limit"],
  },
  {
    name: "v2-bearerProvider",
    title: "tokens.bearerProvider, SDK v2",
    wire: WIRE_2026,
    cannot: { dpop: NO_DPOP_V1, "dpop-nonce": NO_DPOP_V1, "scope-step-up": NO_403 },
    otherErrors: ["scope-retry-limit"],
  },
  { name: "official-v2", title: "SDK v2's own auth in a minimal host (peers/)", wire: WIRE_2026, isPeer: true },
  { name: "official-v1", title: "SDK v1's own auth in a minimal host (peers/)", wire: WIRE_2025, isPeer: true },
];

/**
 * What `npm test` runs: everything without an SDK, and of each other way what is particular to it.
 *
 * @type {Record<string, "all" | string[]>}
 */
export const quick = {
  raw: "all",
  "v2-fetch": ["metadata-default", "scope-step-up", "dpop-nonce"],
  "v1-fetch": ["metadata-default", "scope-step-up", "dpop-nonce"],
  "v2-authProvider": ["metadata-default", "scope-step-up", "authorization-server-migration", "iss-wrong-issuer"],
  "v1-authProvider": ["metadata-default", "authorization-server-migration", "iss-wrong-issuer"],
  "v2-bearerProvider": ["metadata-default", "authorization-server-migration"],
};
