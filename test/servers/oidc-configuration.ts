// What an AuthorizationServerOptions means to oidc-provider.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { Adapter, OidcClient, OidcContext, OidcToken } from "oidc-provider";
import type { AuthorizationServerOptions } from "./authorization-server.ts";
import { messagePage, userCodeConfirmPage, userCodePage } from "./pages.ts";

const DAY = 86_400;

export interface ConfigurationInput {
  options: AuthorizationServerOptions;
  scopes: readonly string[];
  issuerPath: string;
  /** Read at every issuance, so that a test can change it while the server runs. */
  accessTokenSeconds: () => number;
  signingKey: JsonWebKey;
  adapter: (model: string) => Adapter;
  fetch: typeof fetch;
  /** oidc-provider turns only its own errors into OAuth answers. */
  unknownResource: () => Error;
}

export function createSigningKey(): JsonWebKey {
  // ES256: generating an RSA key would take longer than the rest of the server's start.
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), kid: "fixture", alg: "ES256", use: "sig" } as JsonWebKey;
}

export function oidcConfiguration(input: ConfigurationInput): Record<string, unknown> {
  const { options, scopes, accessTokenSeconds } = input;
  const refreshTokens = options.refreshTokens ?? "rotate";
  return {
    adapter: input.adapter,
    clients: options.clients ?? [],
    jwks: { keys: [input.signingKey] },
    scopes: ["openid", ...scopes],
    cookies: { keys: [randomBytes(16).toString("hex")] },
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    responseTypes: ["code"],
    // A token of one second must be dead after one second.
    clockTolerance: 0,
    features: features(input),
    ttl: {
      AccessToken: accessTokenSeconds,
      ClientCredentials: accessTokenSeconds,
      AuthorizationCode: 60,
      DeviceCode: options.deviceCodeSeconds ?? 600,
      Grant: 14 * DAY,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: options.refreshTokenSeconds ?? 14 * DAY,
      Session: DAY,
    },
    rotateRefreshToken: refreshTokens === "rotate",
    issueRefreshToken: async (_context: OidcContext, client: OidcClient, source: OidcToken) =>
      refreshTokens !== "none" &&
      client.grantTypeAllowed("refresh_token") &&
      (!options.refreshTokenNeedsOfflineAccess || source.scopes.has("offline_access")),
    // Otherwise a refresh token without offline_access dies with the browser's cookie.
    expiresWithSession: async () => false,
    // Consent is asked anew at each sign-in; see oidc-interaction.ts.
    loadExistingGrant: async (context: {
      oidc: { result?: { consent?: { grantId?: string } }; provider: { Grant: { find(id: string): unknown } } };
    }) => {
      const grantId = context.oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : context.oidc.provider.Grant.find(grantId);
    },
    findAccount: async (_context: OidcContext, subject: string) => ({
      accountId: subject,
      claims: async () => ({ sub: subject }),
    }),
    interactions: {
      url: (_context: OidcContext, interaction: { uid: string }) =>
        `${input.issuerPath}/interaction/${interaction.uid}`,
    },
    renderError: async (context: OidcContext, out: { error: string; error_description?: string }) => {
      context.type = "html";
      context.body = messagePage("This request cannot be answered", `${out.error}: ${out.error_description ?? ""}`);
    },
    clientBasedCORS: () => false,
    fetch: input.fetch,
  };
}

function features({
  options,
  scopes,
  accessTokenSeconds,
  unknownResource,
}: ConfigurationInput): Record<string, unknown> {
  const wanted = options.features ?? {};
  const enabled = (value: boolean | undefined, otherwise = false): { enabled: boolean } => ({
    enabled: value ?? otherwise,
  });
  return {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false },
    registration: { ...enabled(options.registration, true), issueRegistrationAccessToken: true },
    registrationManagement: { ...enabled(options.registration, true), rotateRegistrationAccessToken: false },
    clientIdMetadataDocument: {
      ...enabled(options.clientIdMetadataDocuments),
      ack: "draft-02",
      cacheDuration: { min: 0, max: 0 },
    },
    revocation: {
      ...enabled(wanted.revocation, true),
      allowedPolicy: async (_context: OidcContext, client: OidcClient, token: OidcToken) =>
        token.clientId === client.clientId,
    },
    introspection: { ...enabled(wanted.introspection, true), allowedPolicy: async () => true },
    clientCredentials: enabled(wanted.clientCredentials),
    pushedAuthorizationRequests: enabled(wanted.pushedAuthorizationRequests),
    dPoP: {
      ...enabled(wanted.dpop || wanted.dpopNonce),
      nonceSecret: wanted.dpopNonce ? randomBytes(32) : undefined,
      requireNonce: () => wanted.dpopNonce === true,
    },
    deviceFlow: { ...enabled(wanted.deviceFlow), ...devicePages() },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_context: OidcContext, _client: OidcClient, oneOf?: string[]) =>
        oneOf ?? options.defaultResource,
      // The refresh request of a client that leaves `resource` out keeps its audience.
      useGrantedResource: async () => true,
      getResourceServerInfo: async (_context: OidcContext, resource: string) => {
        if (!isLoopback(resource)) throw unknownResource();
        return {
          audience: resource,
          scope: scopes.filter((scope) => scope !== "offline_access").join(" "),
          accessTokenTTL: accessTokenSeconds(),
          accessTokenFormat: options.accessTokenFormat ?? "jwt",
          jwt: { sign: { alg: "ES256" } },
        };
      },
    },
  };
}

function devicePages(): Record<string, unknown> {
  return {
    userCodeInputSource: async (
      context: OidcContext,
      form: string,
      _out: unknown,
      error?: { name: string; userCode?: string },
    ) => {
      context.body = userCodePage(form, userCodeMessage(error));
    },
    userCodeConfirmSource: async (
      context: OidcContext,
      form: string,
      client: OidcClient,
      _device: unknown,
      userCode: string,
    ) => {
      context.body = userCodeConfirmPage(form, client.clientName ?? client.clientId, userCode);
    },
    successSource: async (context: OidcContext) => {
      context.body = messagePage("Signed in", "The device is connected. You can close this page.");
    },
  };
}

function userCodeMessage(error: { name: string } | undefined): string {
  if (error === undefined) return "Enter the code that the device shows.";
  return error.name === "AbortedError" ? "Cancelled. You can close this page." : "That code is not right. Try again.";
}

function isLoopback(resource: string): boolean {
  const { hostname } = new URL(resource);
  return hostname === "127.0.0.1" || hostname === "[::1]" || hostname === "localhost";
}
