import { redeemAuthorizationResponse } from "../authorization/grants/authorization-code.ts";
import { requirePkceSupport } from "../authorization/pkce.ts";
import { type AuthorizationRequestOptions, createAuthorizationRequest } from "../authorization/request.ts";
import { McpOAuthError } from "../core/errors.ts";
import { unionOfScopes } from "../core/scope.ts";
import type { Discovery } from "../discovery/discover.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import type { PendingRedirect, RedirectOptions, RedirectPage } from "../ports/redirect-receiver.ts";
import type { Credential } from "../tokens/credential.ts";
import type { FlowContext, SignInFlow } from "./context.ts";
import { isForgottenClient } from "./forgotten-client.ts";
import { type BoundKey, issuedCredential } from "./issued-credential.ts";
import { pushRequest } from "./push-request.ts";
import { receiveResponse } from "./receive-response.ts";
import { openRedirect } from "./redirect.ts";

export interface BrowserSignIn {
  readonly discovery: Discovery;
  readonly account: string;
  readonly scope: string | undefined;
  readonly flow: SignInFlow;
  /** Binds the tokens to a key. */
  readonly dpop: BoundKey | undefined;
  /** Takes what brings the sign-in before the user once more. */
  readonly onShown?: (reopen: () => void) => void;
  readonly signal: AbortSignal;
}

/** From an open redirect URI to tokens that have been written; the user's page says how it ended. */
async function authorize(
  context: FlowContext,
  signIn: BrowserSignIn,
  redirect: PendingRedirect,
  options: AuthorizationRequestOptions,
): Promise<Credential> {
  const { account, flow, signal, scope, dpop } = signIn;
  const { server, client, authorizationServer } = options;
  const request = await pushRequest(context, createAuthorizationRequest(options), signal);
  context.events.emit("sign_in_started", {
    server,
    account,
    issuer: authorizationServer.issuer,
    flow,
    ...(scope !== undefined && { scope }),
  });
  const { parameters, arrival } = await receiveResponse(context, {
    request,
    redirect,
    flow,
    signal,
    ...(signIn.onShown !== undefined && { onShown: signIn.onShown }),
  });
  const show = async (outcome: RedirectPage["outcome"]): Promise<void> =>
    arrival?.respond({ outcome, clientName: context.clientName, serverName: new URL(server).host });
  try {
    const dpopKey = dpop === undefined ? {} : { dpopKey: dpop.key };
    const tokens = await redeemAuthorizationResponse({ ...context, signal, ...dpopKey }, request, parameters);
    context.registry.prove(client);
    const way = arrival === undefined ? "paste" : "browser";
    const credential = issuedCredential(context, { ...signIn, client, tokens, flow: way });
    await context.coordinator.save({ server, account }, credential);
    await show("signed-in");
    return credential;
  } catch (error) {
    await show(error instanceof McpOAuthError && error.code === "authorization_denied" ? "denied" : "failed");
    throw error;
  }
}

/** The configured redirect, and where that says nothing, what the issuer wants. */
function redirectFor({ profiles, redirect }: FlowContext, { issuer, server }: Discovery): RedirectOptions {
  if (redirect.uri !== undefined) return redirect;
  const host = redirect.host ?? profiles.use("redirectHost", issuer, server);
  const port = redirect.port ?? profiles.use("redirectPort", issuer, server);
  return { ...redirect, ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
}

/** What an issuer's profile changes of the authorization request. */
function parametersFor(
  { profiles }: FlowContext,
  { issuer, server, resource }: Discovery,
): Pick<AuthorizationRequestOptions, "resource" | "extraParameters"> {
  const extraParameters = profiles.use("authorizeParameters", issuer, server);
  const omitResource = profiles.use("omitResource", issuer, server) === true;
  return { ...(!omitResource && { resource }), ...(extraParameters !== undefined && { extraParameters }) };
}

/** What servers say of a metadata document whose redirect URIs they compare with another port than ours. */
const REFUSALS_OF_DOCUMENTS = new Set(["unauthorized_client", "invalid_request", "invalid_redirect_uri"]);

/**
 * Whether the server refuses the client itself. Of one that it has registered, only `invalid_client` says so; of a document
 * also other answers to a pushed request do. What came by way of the redirect URI or from the token endpoint is no such
 * answer: the redirect URI was accepted then.
 */
function isRefusalOf({ how }: OAuthClient, error: unknown): boolean {
  if (!(error instanceof McpOAuthError)) return false;
  const { code, oauthError = "", status } = error;
  if (oauthError === "invalid_client") return true;
  const isOfPushedRequest = code === "authorization_failed" && status !== undefined;
  return how === "metadata-document" && isOfPushedRequest && REFUSALS_OF_DOCUMENTS.has(oauthError);
}

/** One try with the client that there is, or a new one. Answers `forgotten` when the server no longer knows a stored client. */
async function trySignIn(
  context: FlowContext,
  signIn: BrowserSignIn,
): Promise<Credential | { readonly forgotten: OAuthClient }> {
  const { discovery, scope, signal, dpop } = signIn;
  const { server, authorizationServer, protectedResource } = discovery;
  const known = await context.registry.known(authorizationServer);
  const redirect = await openRedirect(context.receiver, redirectFor(context, discovery), known);
  try {
    const { redirectUri } = redirect;
    const laterScope = unionOfScopes(protectedResource?.scopesSupported?.join(" "));
    const client = await context.registry.obtain({
      server,
      authorizationServer,
      redirectUri,
      signal,
      ...(scope !== undefined && { scope }),
      ...(laterScope !== undefined && { laterScope }),
    });
    const options = {
      server,
      authorizationServer,
      client,
      redirectUri,
      ...parametersFor(context, discovery),
      ...(scope !== undefined && { scope }),
      ...(dpop !== undefined && { dpopThumbprint: await dpop.key.thumbprint() }),
    };
    if (await isForgottenClient(context, options, signal)) return { forgotten: client };
    try {
      return await authorize(context, signIn, redirect, options);
    } catch (error) {
      const canBeReplaced =
        client.clientId === known?.clientId && context.registry.isReplaceable(client, authorizationServer);
      if (canBeReplaced && isRefusalOf(client, error)) return { forgotten: client };
      throw error;
    }
  } finally {
    await redirect.close();
  }
}

/**
 * Signs a user in by the authorization code flow with PKCE over a redirect URI that is listened on before the browser
 * opens (RFC 8252 section 7.3). Where a server has forgotten a stored dynamic client, or does not take the client's metadata
 * document, a client is registered, once.
 *
 * @throws `pkce_unsupported`, `redirect_unavailable`, `client_unavailable`, `client_mismatch`, `registration_failed`,
 * `browser_unavailable`, `authorization_denied`, `authorization_failed`, `issuer_mismatch`,
 * `invalid_authorization_response`, `token_request_failed`, `invalid_response`, `network_failed`, `timeout`, `store_failed`.
 */
export async function signInWithBrowser(context: FlowContext, signIn: BrowserSignIn): Promise<Credential> {
  const { server, authorizationServer, defaultEndpoints } = signIn.discovery;
  if (!defaultEndpoints) requirePkceSupport(authorizationServer, server, context.profiles);
  const first = await trySignIn(context, signIn);
  if (!("forgotten" in first)) return first;
  await context.registry.forget(first.forgotten, server);
  const second = await trySignIn(context, signIn);
  if (!("forgotten" in second)) return second;
  throw new McpOAuthError(
    "registration_failed",
    `${authorizationServer.issuer} does not accept the client that it has just registered. Register one with its operator and pass it in the option clients.`,
    { server, issuer: authorizationServer.issuer, oauthError: "invalid_client" },
  );
}
