import { requirePkceSupport } from "../../authorization/pkce.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { quoted } from "../../core/text.ts";
import { parseUrl } from "../../core/url.ts";
import type { Discovery } from "../../discovery/discover.ts";
import type { AuthorizationServerMetadata } from "../../endpoint/authorization-server.ts";
import { isKnownMethod } from "../../endpoint/client-authentication.ts";
import type { Finding } from "./diagnosis.ts";
import { strictPolicy } from "./examination.ts";
import { inWords, note, ok, problem, warning } from "./findings.ts";
import { mcp, rfc } from "./rules.ts";

export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** What a server that does not say has (RFC 8414 section 2). */
export function grantTypesOf({ grant_types_supported: listed }: AuthorizationServerMetadata): readonly string[] {
  return listed ?? ["authorization_code", "implicit"];
}

function endpointFindings(metadata: AuthorizationServerMetadata): Finding[] {
  const rule = rfc(8414, "2");
  const {
    authorization_endpoint: authorization,
    token_endpoint: token,
    device_authorization_endpoint: device,
  } = metadata;
  const findings: Finding[] = [];
  if (token === undefined) {
    const library = "asks the user first, and then cannot redeem the code";
    const fix = "publish token_endpoint";
    findings.push(
      problem("authorization_server.no_token_endpoint", rule, "The metadata has no token endpoint.", {
        library,
        fix,
        stops: true,
      }),
    );
  }
  if (authorization === undefined) {
    const library =
      device === undefined ? "stops with the error invalid_response" : "can sign in on another device only";
    const consequence = { library, fix: "publish authorization_endpoint" };
    const seen = "The metadata has no authorization endpoint, so no browser can sign in.";
    findings.push(
      device === undefined
        ? problem("authorization_server.no_authorization_endpoint", rule, seen, {
            ...consequence,
            stops: true,
            code: "invalid_response",
          })
        : warning("authorization_server.no_authorization_endpoint", rule, seen, consequence),
    );
  }
  if (token !== undefined && authorization !== undefined) {
    const hosts = [...new Set([authorization, token].map((url) => parseUrl(url)?.host ?? url))];
    findings.push(
      ok(
        "authorization_server.endpoints",
        rule,
        `Users sign in and tokens are issued at ${inWords(hosts.map((host) => quoted(host)))}.`,
      ),
    );
  }
  return findings;
}

/** Why no browser is opened: without PKCE a code that is stolen on the way could be used. */
function pkceRefusal(metadata: AuthorizationServerMetadata, server: string): McpOAuthError | undefined {
  try {
    requirePkceSupport(metadata, server, strictPolicy(() => undefined).profiles);
    return undefined;
  } catch (error) {
    if (error instanceof McpOAuthError) return error;
    throw error;
  }
}

/** Whether a sign-in would open a browser. */
export function opensBrowser({ authorizationServer, server, defaultEndpoints }: Discovery): boolean {
  const { authorization_endpoint: endpoint } = authorizationServer;
  return endpoint !== undefined && (defaultEndpoints || pkceRefusal(authorizationServer, server) === undefined);
}

/** The device flow goes without PKCE: it has no code that could be stolen. */
function pkceFinding(metadata: AuthorizationServerMetadata, server: string): Finding {
  const rule = mcp("security");
  const error = pkceRefusal(metadata, server);
  if (error !== undefined) {
    const listed = metadata.code_challenge_methods_supported;
    const seen =
      listed === undefined
        ? "The metadata does not say that PKCE is supported (code_challenge_methods_supported)."
        : `PKCE is offered with ${inWords(listed.map((method) => quoted(method)))} only, not with S256.`;
    const canUseDevice = metadata.device_authorization_endpoint !== undefined;
    return problem("authorization_server.pkce", rule, seen, {
      library: `opens no browser: ${error.code}${canUseDevice ? "; the device flow is left" : ""}`,
      fix: 'support PKCE and publish "code_challenge_methods_supported": ["S256"]',
      code: error.code,
      ...(!canUseDevice && { stops: true }),
    });
  }
  const isAssumed = metadata.code_challenge_methods_supported?.includes("S256") !== true;
  return isAssumed
    ? note("authorization_server.pkce", rule, "PKCE is not advertised, but this issuer is known to support it.", {
        library: "uses it",
      })
    : ok("authorization_server.pkce", rule, "PKCE with S256 is supported.");
}

function grantFindings(metadata: AuthorizationServerMetadata): Finding[] {
  const findings: Finding[] = [];
  const { response_types_supported: responseTypes, authorization_endpoint: authorization } = metadata;
  const grants = grantTypesOf(metadata);
  const rule = rfc(8414, "2");
  const asksAllTheSame = "asks for a code all the same";
  if (authorization !== undefined && !grants.includes("authorization_code")) {
    const seen = `Lists the grants ${inWords(grants.map((grant) => quoted(grant)))}, without authorization_code.`;
    const fix = 'add "authorization_code" to grant_types_supported';
    findings.push(warning("authorization_server.grants", rule, seen, { library: asksAllTheSame, fix }));
  }
  if (responseTypes?.includes("code") !== true) {
    const seen = responseTypes === undefined ? "Lists no response types." : 'Its response types lack "code".';
    const fix = 'publish "response_types_supported": ["code"]';
    findings.push(warning("authorization_server.response_types", rule, seen, { library: asksAllTheSame, fix }));
  }
  if (metadata.grant_types_supported !== undefined && !grants.includes("refresh_token")) {
    const library = "uses a refresh token where one comes, else asks the user again when the token ends";
    const fix = 'issue refresh tokens, and add "refresh_token" to grant_types_supported';
    findings.push(note("authorization_server.refresh", rule, "Lists no refresh tokens.", { library, fix }));
  }
  return findings;
}

function protectionFindings(metadata: AuthorizationServerMetadata): Finding[] {
  const names = metadata.authorization_response_iss_parameter_supported === true;
  const iss = names
    ? ok("authorization_server.iss", rfc(9207, "2.3"), "Its authorization responses say whose they are (iss).")
    : note(
        "authorization_server.iss",
        rfc(9207, "2.3"),
        "Its authorization responses do not say whose they are (iss).",
        {
          library: "compares iss where it comes, and does not miss it where it is not announced",
          fix: 'send iss, and publish "authorization_response_iss_parameter_supported": true',
        },
      );
  const methods = metadata.token_endpoint_auth_methods_supported;
  if (methods === undefined || methods.some(isKnownMethod)) return [iss];
  const seen = `The token endpoint takes ${inWords(methods.map((method) => quoted(method)))} only.`;
  const authentication = warning("authorization_server.client_authentication", rfc(8414, "2"), seen, {
    library: "knows none, client_secret_basic, client_secret_post and private_key_jwt; it tries client_secret_basic",
    fix: 'take public clients: add "none" to token_endpoint_auth_methods_supported',
  });
  return [iss, authentication];
}

/** What the metadata says, judged as a sign-in would. */
export function contentFindings(metadata: AuthorizationServerMetadata, server: string): Finding[] {
  return [
    ...endpointFindings(metadata),
    pkceFinding(metadata, server),
    ...grantFindings(metadata),
    ...protectionFindings(metadata),
  ];
}
