import { chooseDpop } from "../authorization/dpop-choice.ts";
import { grantFor, type MachineGrant } from "../authorization/machine-grants.ts";
import { McpOAuthError, type McpOAuthErrorCode } from "../core/errors.ts";
import { coversScope } from "../core/scope.ts";
import type { Discovery } from "../discovery/discover.ts";
import { DpopKey, rememberDpopKey } from "../endpoint/dpop-key.ts";
import { type Credential, storeKey } from "../tokens/credential.ts";
import { signInWithBrowser } from "./browser-sign-in.ts";
import type { FlowContext, SignInFlow } from "./context.ts";
import { toError, withDeadline } from "./deadline.ts";
import { canUseDevice, type DeviceSignInOrder, signInWithDevice } from "./device-sign-in.ts";
import type { BoundKey } from "./issued-credential.ts";
import { credentialByGrant, type MachineSignIn } from "./machine-sign-in.ts";
import { askForScope, type ScopeOrder, scopeToAsk } from "./scope-to-ask.ts";

export interface SignInOrder extends ScopeOrder {
  readonly flow: SignInFlow;
  /** The credential that did not do, so that one which another process gets meanwhile can be told from it. */
  readonly insteadOf: Credential | undefined;
  readonly discover: (signal: AbortSignal) => Promise<Discovery>;
  /** Takes what brings the sign-in before the user once more. */
  readonly onShown?: (reopen: () => void) => void;
  /** Whether a person asked for it: then what another process got does not do instead. */
  readonly forced: boolean;
  /** Whether only a bearer token can be sent where it is needed: then none that is bound to a key does. */
  readonly bearerOnly?: boolean;
}

/** Another process may have signed in while this one waited for its turn, or since it looked. */
async function signedInElsewhere(
  context: FlowContext,
  order: SignInOrder,
  scope: string | undefined,
): Promise<Credential | undefined> {
  const credential = (await context.coordinator.reload(order.key))?.credential;
  if (credential === undefined || order.forced) return undefined;
  if (credential.accessToken.reveal() === order.insteadOf?.accessToken.reveal()) return undefined;
  if (order.bearerOnly === true && credential.tokenType !== "Bearer") return undefined;
  if (context.dpop === "require" && credential.tokenType !== "DPoP") return undefined;
  const usable = credential.expiresAt === undefined || credential.expiresAt > context.clock.now();
  return usable && coversScope(credential.requestedScope, scope) ? credential : undefined;
}

/**
 * One sign-in, start to end: discovery, the right to ask (one process at a time), scopes, and the flow.
 *
 * @throws `interaction_required` where `interactive` is off; `timeout`, `aborted`; all that discovery and the flow throw.
 */
export async function performSignIn(
  context: FlowContext,
  order: SignInOrder,
  outerSignal: AbortSignal,
): Promise<Credential> {
  const { key, flow } = order;
  const { server, account } = key;
  const { clock, events, store } = context;
  const startedAt = clock.now();
  const { signal, cancel } = withDeadline(context, server, outerSignal);
  try {
    const discovery = await order.discover(signal);
    const grant = grantFor(context.grants, server);
    const scope = await scopeToAsk(context, order, discovery);
    if (grant === undefined && !context.interactive) {
      const elsewhere = await signedInElsewhere(context, order, scope);
      if (elsewhere !== undefined) return elsewhere;
      throw interactionRequired(server, discovery.issuer, scope);
    }
    const lock = await store.lock(`sign-in/${storeKey(key)}`, { timeoutMs: context.signInTimeoutMs, signal });
    try {
      const elsewhere = await signedInElsewhere(context, order, scope);
      if (elsewhere !== undefined) return elsewhere;
      const dpop = await keyFor(context, order, discovery);
      const onShown = order.onShown === undefined ? {} : { onShown: order.onShown };
      const credential = await askForScope(context, order, { discovery, scope }, (asked) => {
        const details = { discovery, account, scope: asked, dpop, signal, ...onShown };
        return grant === undefined ? signInByFlow(context, flow, details) : signInByGrant(context, grant, details);
      });
      events.emit("token_issued", {
        server,
        account,
        issuer: credential.issuer,
        durationMs: clock.now() - startedAt,
        flow: credential.flow,
        refreshable: credential.refreshToken !== undefined,
        ...(credential.scope !== undefined && { scope: credential.scope }),
        ...(credential.expiresAt !== undefined && { expiresAt: credential.expiresAt }),
      });
      return credential;
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw toError(error, signal, server);
  } finally {
    cancel();
  }
}

async function signInByGrant(context: FlowContext, grant: MachineGrant, details: MachineSignIn): Promise<Credential> {
  const credential = await credentialByGrant(context, grant, details);
  await context.coordinator.save({ server: details.discovery.server, account: details.account }, credential);
  return credential;
}

/** Why a sign-in with a browser did not begin, where one on another device may: that has no redirect to protect. */
const NOT_BEGUN: readonly McpOAuthErrorCode[] = ["browser_unavailable", "pkce_unsupported"];

/** The chosen flow; with `auto`, another device where no browser can be opened here, or the server has no code flow for it. */
async function signInByFlow(context: FlowContext, flow: SignInFlow, order: DeviceSignInOrder): Promise<Credential> {
  if (flow === "device") return signInWithDevice(context, order);
  if (flow !== "auto" || !canUseDevice(context, order.discovery)) return signInWithBrowser(context, { ...order, flow });
  if (order.discovery.authorizationServer.authorization_endpoint === undefined) return signInWithDevice(context, order);
  try {
    return await signInWithBrowser(context, { ...order, flow: "browser" });
  } catch (error) {
    if (error instanceof McpOAuthError && NOT_BEGUN.includes(error.code)) return signInWithDevice(context, order);
    throw error;
  }
}

/** A new key for tokens that are to be bound to one. */
async function keyFor(
  context: FlowContext,
  { bearerOnly = false, challenge }: SignInOrder,
  discovery: Discovery,
): Promise<BoundKey | undefined> {
  const choice = chooseDpop(context.dpop, discovery, challenge);
  if (choice?.required === true && bearerOnly) throw bearerOnlyNotEnough(discovery);
  if (choice === undefined || bearerOnly) return undefined;
  const key = await DpopKey.create(choice.algorithm);
  rememberDpopKey(key);
  return { key, choice };
}

function bearerOnlyNotEnough({ server, issuer }: Discovery): McpOAuthError {
  return new McpOAuthError(
    "dpop_unsupported",
    `The tokens for ${server} have to be bound to a key (RFC 9449), which an auth provider of the MCP SDKs cannot send. ` +
      "Use the token manager's fetch instead.",
    { server, issuer },
  );
}

function interactionRequired(server: string, issuer: string, scope: string | undefined): McpOAuthError {
  return new McpOAuthError(
    "interaction_required",
    `A person has to sign in to ${server} at ${issuer}, and this token manager is not interactive. Call signIn on one with interactive: true.`,
    { server, issuer, ...(scope !== undefined && { requiredScope: scope }) },
  );
}
