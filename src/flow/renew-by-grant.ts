import { chooseDpop } from "../authorization/dpop-choice.ts";
import { grantFor } from "../authorization/machine-grants.ts";
import { McpOAuthError, type McpOAuthErrorCode } from "../core/errors.ts";
import { type Discovery, discover } from "../discovery/discover.ts";
import { dpopKeyOf } from "../endpoint/dpop-key.ts";
import type { Credential, SessionKey } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";
import { toError, withDeadline } from "./deadline.ts";
import type { BoundKey } from "./issued-credential.ts";
import { credentialByGrant } from "./machine-sign-in.ts";
import { meetIssuer } from "./meet-issuer.ts";
import { suggestedScope } from "./scope-to-ask.ts";

/** The key stays the same as long as the session lasts. */
async function boundKeyOf(
  context: FlowContext,
  discovery: Discovery,
  { dpopKey }: Credential,
): Promise<BoundKey | undefined> {
  if (dpopKey === undefined) return undefined;
  const choice = chooseDpop(context.dpop, discovery, undefined) ?? { algorithm: "", required: true };
  return { key: await dpopKeyOf(dpopKey), choice: { ...choice, required: true } };
}

async function renew(
  context: FlowContext,
  key: SessionKey,
  credential: Credential,
  signal: AbortSignal,
): Promise<Credential> {
  const { server, account } = key;
  const grant = grantFor(context.grants, server);
  if (grant === undefined) {
    const message = `No grant is configured any more for ${server}. Add it to the option grants, or sign in.`;
    throw new McpOAuthError("sign_in_required", message, { server, issuer: credential.issuer });
  }
  const discovery = await discover(context.http, context.metadataCache, {
    server,
    policy: {
      ...context.discoveryPolicy,
      onDeviation: (rule, detail) => context.events.emit("deviation", { ...key, rule, detail }),
    },
    issuersWithCredentials: [credential.issuer],
    signal,
  });
  await meetIssuer(context, key, discovery.issuer, credential.issuer);
  // Another authorization server is asked for what the resource suggests, not for scopes of the former one.
  const { issuer, requestedScope } = credential;
  const scope = discovery.issuer === issuer ? requestedScope : suggestedScope(context, key, discovery);
  return credentialByGrant(context, grant, {
    discovery,
    account,
    scope,
    dpop: await boundKeyOf(context, discovery, credential),
    signal,
  });
}

/** What does not pass by itself: a configuration that does not fit, or does not fit any more. */
const DEFINITE: readonly McpOAuthErrorCode[] = [
  "authorization_failed",
  "client_mismatch",
  "dpop_unsupported",
  "invalid_configuration",
  "issuer_mismatch",
];

/** Trying again would not help here; a sign-in from the start tells its caller the reason. */
function definite(error: unknown, { server }: SessionKey): unknown {
  if (!(error instanceof McpOAuthError) || !DEFINITE.includes(error.code)) return error;
  const message = `The token for ${server} cannot be had anew: ${error.message}`;
  return new McpOAuthError("sign_in_required", message, { server, cause: error });
}

/** Gets a machine's credential anew, the way it was had. It takes no longer than a sign-in: others wait for its lock. */
export async function renewByGrant(context: FlowContext, key: SessionKey, credential: Credential): Promise<Credential> {
  const { signal, cancel } = withDeadline(context, key.server);
  try {
    return await renew(context, key, credential, signal);
  } catch (error) {
    throw definite(toError(error, signal, key.server), key);
  } finally {
    cancel();
  }
}
