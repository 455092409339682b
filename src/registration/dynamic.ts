import { McpOAuthError } from "../core/errors.ts";
import { type JsonObject, textMember, textsMember } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import { quoted } from "../core/text.ts";
import { isLoopbackHost } from "../core/url.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { chooseSecretMethod, isKnownMethod } from "../endpoint/client-authentication.ts";
import type { ClientAuthenticationMethod, OAuthClient } from "../endpoint/oauth-client.ts";
import {
  type ClientMetadata,
  type RegistrationContext,
  requestRegistration,
} from "../endpoint/registration-request.ts";

export interface DynamicRegistrationRequest {
  readonly clientName: string;
  /** Absent for a client that only signs in on other devices (RFC 8628). */
  readonly redirectUri?: string;
  /** All scopes that a later step-up may need: some servers hold a client to what it registered. */
  readonly scope?: string;
}

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** A public client where that is possible (RFC 7591 section 2: leaving the method out would mean Basic). */
function requestedMethod({
  token_endpoint_auth_methods_supported: supported,
}: AuthorizationServerMetadata): ClientAuthenticationMethod {
  return supported === undefined || supported.includes("none") ? "none" : chooseSecretMethod(supported);
}

/** The client metadata to register (RFC 7591 section 2, OpenID Connect Dynamic Client Registration section 2). */
export function clientMetadataFor(
  request: DynamicRegistrationRequest,
  authorizationServer: AuthorizationServerMetadata,
): ClientMetadata {
  const { clientName, redirectUri, scope } = request;
  const isWeb = redirectUri !== undefined && !isLoopbackHost(new URL(redirectUri).hostname);
  return {
    client_name: clientName,
    redirect_uris: redirectUri === undefined ? [] : [redirectUri],
    application_type: isWeb ? "web" : "native",
    grant_types: [redirectUri === undefined ? DEVICE_GRANT : "authorization_code", "refresh_token"],
    response_types: redirectUri === undefined ? [] : ["code"],
    token_endpoint_auth_method: requestedMethod(authorizationServer),
    ...(scope !== undefined && { scope }),
  };
}

/** Only what every server knows, for those that refuse a whole registration because of one member. */
function reducedMetadata(metadata: ClientMetadata): ClientMetadata {
  const { scope: _scope, ...rest } = metadata;
  const [grantType = "authorization_code"] = rest.grant_types as readonly string[];
  return { ...rest, grant_types: [grantType] };
}

/** Clients without a redirect URI are not known everywhere; the one that stands here is never listened on. */
function withUnusedRedirect(metadata: ClientMetadata): ClientMetadata {
  return {
    ...metadata,
    redirect_uris: ["http://127.0.0.1/callback"],
    grant_types: ["authorization_code", ...(metadata.grant_types as readonly string[])],
    response_types: ["code"],
  };
}

/** The method that holds for the client: what the server answered, else what fits what it gave us. */
function registeredMethod(
  answer: JsonObject,
  authorizationServer: AuthorizationServerMetadata,
): ClientAuthenticationMethod {
  const hasSecret = textMember(answer, "client_secret") !== undefined;
  const method = textMember(answer, "token_endpoint_auth_method");
  if (method !== undefined && isKnownMethod(method) && (method === "none" || hasSecret)) return method;
  return hasSecret ? chooseSecretMethod(authorizationServer.token_endpoint_auth_methods_supported) : "none";
}

/** Only a registered redirect URI may be sent (RFC 9700 section 2.1), and we can listen on no other than ours. */
function requireRegisteredRedirect(
  answer: JsonObject,
  { redirectUri }: DynamicRegistrationRequest,
  issuer: string,
): void {
  const registered = textsMember(answer, "redirect_uris") ?? [];
  if (redirectUri === undefined || registered.length === 0 || registered.includes(redirectUri)) return;
  throw new McpOAuthError(
    "registration_failed",
    `${issuer} registered other redirect URIs (${quoted(registered.join(" "))}) than the one that was asked for, ${redirectUri}. ` +
      "Register a client with its operator and pass it in the option clients.",
    { issuer },
  );
}

/** What the server registered, which may differ from what was asked for (RFC 7591 section 3.2.1). */
export function registeredClient(
  answer: JsonObject,
  request: DynamicRegistrationRequest,
  authorizationServer: AuthorizationServerMetadata,
): OAuthClient {
  const clientSecret = textMember(answer, "client_secret");
  const accessToken = textMember(answer, "registration_access_token");
  const registrationUri = textMember(answer, "registration_client_uri");
  const expiresAt = Number(answer.client_secret_expires_at) * 1000;
  requireRegisteredRedirect(answer, request, authorizationServer.issuer);
  return {
    issuer: authorizationServer.issuer,
    clientId: textMember(answer, "client_id") ?? "",
    how: "dynamic",
    authenticationMethod: registeredMethod(answer, authorizationServer),
    redirectUris:
      textsMember(answer, "redirect_uris") ?? (request.redirectUri === undefined ? [] : [request.redirectUri]),
    ...(request.scope !== undefined && { registeredScope: request.scope }),
    ...(clientSecret !== undefined && { clientSecret: new Secret(clientSecret) }),
    ...(accessToken !== undefined && { registrationAccessToken: new Secret(accessToken) }),
    ...(registrationUri !== undefined && { registrationUri }),
    ...(Number.isFinite(expiresAt) && expiresAt > 0 && { secretExpiresAt: expiresAt }),
  };
}

interface Attempt {
  readonly metadata: ClientMetadata;
  readonly request: DynamicRegistrationRequest;
}

/** What to ask for after a refusal; `undefined` where asking again would not help. */
function secondAttempt(refusal: McpOAuthError, { metadata, request }: Attempt): Attempt | undefined {
  const { scope, ...unlimited } = request;
  switch (refusal.oauthError) {
    case "invalid_redirect_uri":
      return { metadata: withUnusedRedirect(metadata), request };
    case "invalid_client_metadata":
      return { metadata: reducedMetadata(metadata), request: unlimited };
    // Not among the codes of RFC 7591 section 3.2.2, but what servers say of scopes that they do not let anybody register.
    case "invalid_scope":
    case "insufficient_scope": {
      const { scope: _scope, ...rest } = metadata;
      return scope === undefined ? undefined : { metadata: rest, request: unlimited };
    }
    default:
      return undefined;
  }
}

/**
 * Registers a client (RFC 7591), at most twice: a server that refuses the metadata is asked once more with less of it, one
 * that refuses the scopes, which are optional (RFC 7591 section 2), without them, and one that refuses a client for other
 * devices because it has no redirect URI, with one.
 *
 * @throws `registration_failed`; for a refused redirect URI the message says what to change.
 */
export async function registerDynamically(
  context: RegistrationContext,
  request: DynamicRegistrationRequest,
): Promise<OAuthClient> {
  const { authorizationServer } = context;
  const metadata = clientMetadataFor(request, authorizationServer);
  try {
    return registeredClient(await requestRegistration(context, metadata), request, authorizationServer);
  } catch (error) {
    if (!(error instanceof McpOAuthError)) throw error;
    if (error.oauthError === "invalid_redirect_uri" && request.redirectUri !== undefined)
      throw redirectUriRefused(error, request.redirectUri, context);
    const second = secondAttempt(error, { metadata, request });
    if (second === undefined) throw error;
    return registeredClient(await requestRegistration(context, second.metadata), second.request, authorizationServer);
  }
}

function redirectUriRefused(cause: McpOAuthError, redirectUri: string, context: RegistrationContext): McpOAuthError {
  const { issuer } = context.authorizationServer;
  return new McpOAuthError(
    "registration_failed",
    `${issuer} refuses the redirect URI ${redirectUri}. Try another with the option redirect (for example ` +
      '{ host: "localhost" } or a fixed port), or register a client with its operator and pass it in the option clients.',
    { cause, server: context.server, issuer, oauthError: "invalid_redirect_uri" },
  );
}
