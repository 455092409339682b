import { describe, expect, it } from "vitest";
import type { ResourceChallenge } from "../../../src/challenge/read.ts";
import { Secret } from "../../../src/core/secret.ts";
import type { Discovery } from "../../../src/discovery/discover.ts";
import { type Knowledge, planAfterRefusal, planRenewal } from "../../../src/flow/plan.ts";
import { credentialAt, metadataAt, SERVER } from "../../support/stage.ts";

const ISSUER = "https://as.example.com";
const used = credentialAt(ISSUER, { requestedScope: "a" });
const newer = credentialAt(ISSUER, { accessToken: new Secret("access-token-2") });

function plan(challenge: Partial<ResourceChallenge> & { status: number }, knowledge: Partial<Knowledge> = {}) {
  const known = { used, current: used, usedIsUnproven: false, requestedBefore: undefined };
  return planAfterRefusal({ ...known, ...knowledge, challenge: { schemes: ["bearer"], ...challenge } });
}

const nobody = { used: undefined, current: undefined };
const unproven = { usedIsUnproven: true };
const stepUp = { status: 403, error: "insufficient_scope" };

describe("planAfterRefusal", () => {
  it.each<[string, Partial<ResourceChallenge> & { status: number }, Partial<Knowledge>, string]>([
    ["401 without a token [CHL-1]", { status: 401 }, nobody, "renew"],
    ["401 invalid_token [CHL-10]", { status: 401, error: "invalid_token" }, {}, "renew"],
    ["401 without an error [CHL-10]", { status: 401 }, {}, "renew"],
    ["401 with an error that nobody knows [CHL-10]", { status: 401, error: "x_custom" }, {}, "renew"],
    ["401 for a token that somebody else has replaced", { status: 401 }, { current: newer }, "use-current"],
    [
      "401 without a token while somebody else signed in",
      { status: 401 },
      { used: undefined, current: newer },
      "use-current",
    ],
    ["401 for a token of a session that is gone", { status: 401 }, { current: undefined }, "renew"],
    ["401 for a token that is fresh from its issuer [CHL-10]", { status: 401 }, unproven, "reject"],
    [
      "401 for a fresh token that has been replaced meanwhile",
      { status: 401 },
      { ...unproven, current: newer },
      "use-current",
    ],
    ["403 insufficient_scope [CHL-10] [STEP-1]", { ...stepUp, scope: "b" }, {}, "step-up"],
    ["403 insufficient_scope without a scope [STEP-6]", stepUp, {}, "step-up"],
    [
      "403 insufficient_scope although there is a refresh token [STEP-3]",
      { ...stepUp, scope: "b" },
      { used: newer, current: newer },
      "step-up",
    ],
    ["403 insufficient_scope for a fresh token [STEP-1]", { ...stepUp, scope: "b" }, unproven, "step-up"],
    [
      "403 for scopes that were asked for in this sign-in [STEP-4] [STEP-5]",
      { ...stepUp, scope: "a" },
      {},
      "insufficient",
    ],
    [
      "403 for scopes that were asked for before [STEP-4] [STEP-5]",
      { ...stepUp, scope: "b a" },
      { requestedBefore: "b" },
      "insufficient",
    ],
    [
      "403 for one scope that was asked for and one that was not [STEP-2]",
      { ...stepUp, scope: "a c" },
      { requestedBefore: "b" },
      "step-up",
    ],
    ["403 for a scope in another case [SCO-6]", { ...stepUp, scope: "A" }, {}, "step-up"],
    ["403 for a token that somebody else has replaced", { ...stepUp, scope: "b" }, { current: newer }, "use-current"],
    ["403 insufficient_scope without a token", { ...stepUp, scope: "b" }, nobody, "renew"],
    ["403 without an error [CHL-10]", { status: 403 }, {}, "surface"],
    ["403 invalid_token [CHL-10]", { status: 403, error: "invalid_token" }, {}, "surface"],
    ["400 invalid_request [CHL-10]", { status: 400, error: "invalid_request" }, {}, "surface"],
    ["400 insufficient_scope [CHL-10]", { status: 400, error: "insufficient_scope" }, {}, "surface"],
    ["404", { status: 404 }, {}, "surface"],
    ["500", { status: 500 }, {}, "surface"],
    ["401 for a proof without a nonce [DPOP-6]", { status: 401, error: "use_dpop_nonce" }, {}, "surface"],
  ])("%s", (_case, challenge, knowledge, step) => {
    expect(plan(challenge, knowledge)).toBe(step);
  });
});

describe("planRenewal", () => {
  const discovery: Discovery = {
    server: SERVER,
    resource: SERVER,
    issuer: ISSUER,
    authorizationServer: metadataAt(ISSUER),
    defaultEndpoints: false,
  };
  const { refreshToken: _none, ...withoutRefreshToken } = used;

  it.each<[string, Parameters<typeof planRenewal>[0], Partial<Discovery>, string]>([
    ["a refresh token of the same issuer for the same resource", used, {}, "refresh"],
    ["no credential", undefined, {}, "sign-in"],
    ["no refresh token [OFF-2]", withoutRefreshToken, {}, "sign-in"],
    [
      "a refresh token of an issuer that the resource no longer names [BIND-2] [ASS-3]",
      used,
      { issuer: "https://new.example.com" },
      "sign-in",
    ],
    [
      "a refresh token for a resource that is called otherwise now",
      used,
      { resource: "https://mcp.example.com" },
      "sign-in",
    ],
  ])("with %s: %s", (_case, credential, changes, expected) => {
    expect(planRenewal(credential, { ...discovery, ...changes })).toBe(expected);
  });
});
