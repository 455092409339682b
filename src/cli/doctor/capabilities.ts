import type { AuthorizationServerMetadata } from "../../endpoint/authorization-server.ts";
import { DEVICE_GRANT, grantTypesOf } from "./check-authorization-server-content.ts";
import type { Capability } from "./diagnosis.ts";
import type { Evidence } from "./examination.ts";

const GRANT_NAMES: Readonly<Record<string, string>> = {
  [DEVICE_GRANT]: "device code",
  "urn:ietf:params:oauth:grant-type:jwt-bearer": "JWT bearer",
  "urn:ietf:params:oauth:grant-type:token-exchange": "token exchange",
  authorization_code: "authorization code",
  client_credentials: "client credentials",
  refresh_token: "refresh token",
};

function listed(names: readonly string[] | undefined, otherwise: string): string {
  return names === undefined || names.length === 0 ? otherwise : names.join(", ");
}

function waysIn(metadata: AuthorizationServerMetadata): Capability[] {
  const grants = grantTypesOf(metadata);
  const { device_authorization_endpoint: device, registration_endpoint: registration } = metadata;
  const documents = (metadata as { client_id_metadata_document_supported?: unknown })
    .client_id_metadata_document_supported;
  const browser = metadata.authorization_endpoint !== undefined;
  const names = grants.map((grant) => GRANT_NAMES[grant] ?? grant).join(", ");
  return [
    { id: "grants", name: "Grants", offered: true, detail: metadata.grant_types_supported ? names : "not listed" },
    { id: "browser", name: "Browser sign-in", offered: browser, detail: "authorization code, RFC 6749" },
    { id: "device", name: "Device sign-in", offered: device !== undefined, detail: "RFC 8628" },
    {
      id: "metadata_documents",
      name: "Client ID documents",
      offered: documents === true,
      detail: "client_id_metadata_document_supported",
    },
    { id: "registration", name: "Registration", offered: registration !== undefined, detail: "dynamic, RFC 7591" },
    {
      id: "client_authentication",
      name: "Client authentication",
      offered: true,
      detail: listed(metadata.token_endpoint_auth_methods_supported, "not listed (client_secret_basic)"),
    },
  ];
}

function protections(metadata: AuthorizationServerMetadata, { resource }: Evidence): Capability[] {
  const {
    code_challenge_methods_supported: methods,
    dpop_signing_alg_values_supported: algorithms,
    pushed_authorization_request_endpoint: push,
  } = metadata;
  const required = metadata.require_pushed_authorization_requests === true ? ", required" : "";
  const bound = resource?.dpopBoundAccessTokensRequired === true;
  const resources = (metadata as { protected_resources?: readonly string[] }).protected_resources;
  return [
    { id: "pkce", name: "PKCE", offered: methods?.includes("S256") === true, detail: listed(methods, "not announced") },
    {
      id: "iss",
      name: "iss parameter",
      offered: metadata.authorization_response_iss_parameter_supported === true,
      detail: "RFC 9207",
    },
    { id: "par", name: "Pushed requests", offered: push !== undefined, detail: `RFC 9126${required}` },
    {
      id: "dpop",
      name: "DPoP",
      offered: algorithms !== undefined || bound,
      detail: `${listed(algorithms, "RFC 9449")}${bound ? ", required" : ""}`,
    },
    {
      id: "resource_indicators",
      name: "Resource parameter",
      offered: resources === undefined ? "unknown" : true,
      detail: resources === undefined ? "RFC 8707; no metadata says so" : "RFC 8707, by protected_resources",
    },
  ];
}

function lifetimes(metadata: AuthorizationServerMetadata): Capability[] {
  const { grant_types_supported: grants, scopes_supported: scopes, revocation_endpoint: revocation } = metadata;
  const offline = scopes?.includes("offline_access") === true;
  return [
    {
      id: "refresh",
      name: "Refresh tokens",
      offered: grants === undefined && !offline ? "unknown" : offline || grants?.includes("refresh_token") === true,
      detail: offline ? "by the scope offline_access" : "by the grant refresh_token",
    },
    { id: "revocation", name: "Revocation", offered: revocation !== undefined, detail: "RFC 7009" },
    { id: "scopes", name: "Scopes", offered: scopes !== undefined, detail: listed(scopes, "not listed") },
  ];
}

/** What an authorization server says it offers. */
export function capabilitiesOf(evidence: Evidence): Capability[] {
  const { authorizationServer: metadata, discovery } = evidence;
  if (metadata === undefined || discovery?.defaultEndpoints === true) return [];
  return [...waysIn(metadata), ...protections(metadata, evidence), ...lifetimes(metadata)];
}
