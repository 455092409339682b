import { grantClientCredentials } from "../authorization/grants/client-credentials.ts";
import { EnterpriseManagedAuthorization } from "../authorization/grants/enterprise-managed.ts";
import { grantJwtBearer } from "../authorization/grants/jwt-bearer.ts";
import type { GrantedTokens, MachineContext } from "../authorization/grants/machine-context.ts";
import type { MachineGrant } from "../authorization/machine-grants.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { Discovery } from "../discovery/discover.ts";
import type { Credential } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";
import { type BoundKey, issuedCredential } from "./issued-credential.ts";

export interface MachineSignIn {
  readonly discovery: Discovery;
  readonly account: string;
  readonly scope: string | undefined;
  readonly dpop: BoundKey | undefined;
  readonly signal: AbortSignal;
}

/** What each token manager has of its users' sign-ons. */
const enterprises = new WeakMap<FlowContext, EnterpriseManagedAuthorization>();

/** The credentials of a grant go to the issuer that it was made for and to no other. */
function requireGrantIssuer(grant: MachineGrant, { issuer, server }: Discovery): void {
  if (grant.issuer === undefined || grant.issuer === issuer) return;
  throw new McpOAuthError(
    "client_mismatch",
    `${server} signs in at ${issuer}, but its entry in the option grants is for ${grant.issuer}, and its credentials are not sent elsewhere. Correct the entry, or ask the server's operator.`,
    { server, issuer },
  );
}

/**
 * Gets tokens without a person, by the grant that is configured for the server. A refusal is an error: there is no silent
 * way from here to a browser.
 *
 * @throws `client_mismatch`, `token_request_failed`, `invalid_configuration`, `invalid_response`, `authorization_failed`,
 * `network_failed`, `timeout`, `aborted`.
 */
export async function credentialByGrant(
  context: FlowContext,
  grant: MachineGrant,
  signIn: MachineSignIn,
): Promise<Credential> {
  const { discovery, account, dpop, signal } = signIn;
  requireGrantIssuer(grant, discovery);
  const scope = grant.scope ?? signIn.scope;
  const machine: MachineContext = {
    http: context.http,
    clock: context.clock,
    server: discovery.server,
    account,
    authorizationServer: discovery.authorizationServer,
    resource: discovery.resource,
    omitResource: context.profiles.use("omitResource", discovery.issuer, discovery.server) === true,
    scope,
    signal,
    ...(dpop !== undefined && { dpopKey: dpop.key }),
  };
  const { client, tokens } = await granted(context, grant, machine);
  const { refreshToken: _unused, ...kept } = tokens;
  return issuedCredential(context, { ...signIn, scope, client, tokens: kept, flow: grant.type });
}

function granted(context: FlowContext, grant: MachineGrant, machine: MachineContext): Promise<GrantedTokens> {
  if (grant.type === "client_credentials") return grantClientCredentials(machine, grant);
  if (grant.type === "jwt_bearer") return grantJwtBearer(machine, grant);
  const enterprise = enterprises.get(context) ?? new EnterpriseManagedAuthorization();
  enterprises.set(context, enterprise);
  return enterprise.grant(machine, grant);
}
