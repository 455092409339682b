import { scopesOf, unionOfScopes } from "../core/scope.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";

/** Lets a host ask for less than the servers suggest (RFC 9728 section 7.2). Gets and gives scopes in a list. */
export type NarrowScope = (question: { server: string; scopes: readonly string[] }) => readonly string[];

export interface ScopeQuestion {
  readonly server: string;
  /** What the caller asked for; it wins over what servers suggest. */
  readonly wanted?: string;
  readonly challenged?: string;
  readonly supportedByResource?: readonly string[];
  /** What was asked for in earlier sign-ins to this resource: a step-up must not lose it. */
  readonly requestedBefore?: string;
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly narrow?: NarrowScope;
  /** Whether a person takes part. Machines get tokens anew as they got the first, so they ask for no refresh token. Default true. */
  readonly forPerson?: boolean;
}

/**
 * The scope to ask for (MCP 2026-07-28, "scope selection strategy"): the challenge's, else all that the resource
 * supports, else none; together with what was asked for before, and with `offline_access` only where the server lists it.
 */
export function chooseScope(question: ScopeQuestion): string | undefined {
  const { wanted, challenged, supportedByResource, requestedBefore, authorizationServer, narrow, server } = question;
  const offline =
    question.forPerson !== false && authorizationServer.scopes_supported?.includes("offline_access") === true;
  // Refresh tokens are a matter of the authorization server; what a resource says about them does not count.
  const supported = supportedByResource?.filter((scope) => offline || scope !== "offline_access");
  const suggested = challenged ?? supported?.join(" ");
  const base = unionOfScopes(requestedBefore, wanted === undefined ? suggested : unionOfScopes(wanted, challenged));
  if (base === undefined) return undefined;
  const offered = offline ? unionOfScopes(base, "offline_access") : base;
  if (narrow === undefined) return offered;
  const narrowed = unionOfScopes(narrow({ server, scopes: scopesOf(offered) }).join(" "));
  // A refresh token for nothing is not worth asking for.
  return narrowed === "offline_access" ? undefined : narrowed;
}
