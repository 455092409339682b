import { type DpopChoice, requireBound } from "../authorization/dpop-choice.ts";
import type { Discovery } from "../discovery/discover.ts";
import type { DpopKey } from "../endpoint/dpop-key.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import type { TokenResponse } from "../endpoint/token-request.ts";
import type { Credential } from "../tokens/credential.ts";
import { expiryOf } from "../tokens/refresh.ts";
import type { FlowContext } from "./context.ts";

/** A key that tokens are to be bound to, and whether they must be. */
export interface BoundKey {
  readonly key: DpopKey;
  readonly choice: DpopChoice;
}

export interface Issued {
  readonly discovery: Discovery;
  readonly account: string;
  readonly client: OAuthClient;
  /** What was asked for. */
  readonly scope: string | undefined;
  readonly flow: string;
  readonly dpop: BoundKey | undefined;
  readonly tokens: TokenResponse;
}

/**
 * The credential that a grant has given.
 *
 * @throws `dpop_unsupported` when the token must be bound to a key and is not.
 */
export function issuedCredential({ clock, events }: FlowContext, issued: Issued): Credential {
  const { discovery, account, client, scope, flow, dpop, tokens } = issued;
  const { issuer, resource, authorizationServer, server } = discovery;
  const isBound = tokens.tokenType === "DPoP";
  if (dpop !== undefined && !isBound) {
    if (dpop.choice.required) requireBound(discovery);
    events.emit("deviation", {
      server,
      account,
      issuer,
      rule: "RFC 9449 section 5",
      detail: "the token is not bound to the key that was offered",
    });
  }
  const nowMs = clock.now();
  // A response without a scope means that all of what was asked for was granted (RFC 6749 section 5.1).
  const granted = tokens.scope ?? scope;
  return {
    issuer,
    resource,
    client,
    authorizationServer,
    accessToken: tokens.accessToken,
    tokenType: tokens.tokenType,
    issuedAt: nowMs,
    signedInAt: nowMs,
    flow,
    ...expiryOf(tokens, nowMs),
    ...(isBound && dpop !== undefined && { dpopKey: dpop.key.record }),
    ...(tokens.refreshToken !== undefined && { refreshToken: tokens.refreshToken }),
    ...(granted !== undefined && { scope: granted }),
    ...(scope !== undefined && { requestedScope: scope }),
  };
}
