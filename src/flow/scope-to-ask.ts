import { grantFor } from "../authorization/machine-grants.ts";
import { chooseScope } from "../authorization/scope.ts";
import type { ResourceChallenge } from "../challenge/read.ts";
import { McpOAuthError } from "../core/errors.ts";
import { coversScope } from "../core/scope.ts";
import type { Discovery } from "../discovery/discover.ts";
import { type Credential, type SessionKey, scopeRequestedAt } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";

/** What a sign-in is ordered with that says which scope it is to have. */
export interface ScopeOrder {
  readonly key: SessionKey;
  /** What the caller wants beside what the server suggests. */
  readonly wantedScope?: string;
  readonly challenge?: ResourceChallenge;
  /** Of a challenge that adds scopes to those that were asked for before, the added ones alone. */
  readonly addedScope?: string;
}

interface ScopeParts {
  readonly challenged: string | undefined;
  readonly requestedBefore: string | undefined;
}

function scopeOf(
  context: FlowContext,
  { key, wantedScope }: ScopeOrder,
  { authorizationServer, protectedResource }: Discovery,
  { challenged, requestedBefore }: ScopeParts,
): string | undefined {
  const { server } = key;
  const supportedByResource = protectedResource?.scopesSupported;
  return chooseScope({
    server,
    forPerson: grantFor(context.grants, server) === undefined,
    authorizationServer,
    ...(wantedScope !== undefined && { wanted: wantedScope }),
    ...(challenged !== undefined && { challenged }),
    ...(supportedByResource !== undefined && { supportedByResource }),
    ...(requestedBefore !== undefined && { requestedBefore }),
    ...(context.narrowScope !== undefined && { narrow: context.narrowScope }),
  });
}

/** The scope of a sign-in, together with what was asked for in earlier ones at the same issuer. */
export async function scopeToAsk(
  context: FlowContext,
  order: ScopeOrder,
  discovery: Discovery,
): Promise<string | undefined> {
  const record = (await context.coordinator.load(order.key))?.record;
  const requestedBefore = scopeRequestedAt(record, discovery.issuer);
  return scopeOf(context, order, discovery, { challenged: order.challenge?.scope, requestedBefore });
}

/** What the server suggests, whatever was asked for in earlier sign-ins. */
export function suggestedScope(context: FlowContext, key: SessionKey, discovery: Discovery): string | undefined {
  return scopeOf(context, { key }, discovery, { challenged: undefined, requestedBefore: undefined });
}

/** Whether the authorization server itself does not know, or not grant, a scope (RFC 6749 sections 4.1.2.1 and 5.2). */
function isScopeRefused(error: unknown, { issuer }: Discovery): boolean {
  if (!(error instanceof McpOAuthError) || error.oauthError !== "invalid_scope") return false;
  // At the registration there was a try without scopes already.
  return error.issuer === issuer && error.code !== "registration_failed";
}

/** Whether the same request may be made again with another scope: an assertion is sent once, and a fixed scope stays. */
function canAskForLess({ grants }: FlowContext, server: string): boolean {
  const grant = grantFor(grants, server);
  return grant === undefined || (grant.type === "client_credentials" && grant.scope === undefined);
}

/**
 * Asks for a scope. Where the authorization server refuses it, and some of it is there only because earlier sign-ins asked
 * for it, asks once more without that: a scope that was withdrawn must not lock anybody out.
 */
export async function askForScope(
  context: FlowContext,
  order: ScopeOrder,
  { discovery, scope }: { readonly discovery: Discovery; readonly scope: string | undefined },
  ask: (scope: string | undefined) => Promise<Credential>,
): Promise<Credential> {
  try {
    return await ask(scope);
  } catch (error) {
    if (!isScopeRefused(error, discovery) || !canAskForLess(context, order.key.server)) throw error;
    const challenged = order.addedScope ?? order.challenge?.scope;
    const less = scopeOf(context, order, discovery, { challenged, requestedBefore: undefined });
    if (coversScope(less, scope)) throw error;
    const credential = await ask(less);
    // Else the next sign-in would begin with it again; that this could not be written only means that it does.
    if (less === undefined) await context.coordinator.forgetRequestedScope(order.key).catch(() => undefined);
    return credential;
  }
}
