// The client authorization scenarios of the official suite, by name without `auth/`, and how each must end.

/**
 * @typedef {object} Scenario
 * @property {import("mcp-oauth-client").McpOAuthErrorCode} [refusal] the code with which a good client refuses to go on;
 * without it the tool must have answered
 */

/** @type {Record<string, Scenario>} */
export const scenarios = {
  "metadata-default": {},
  "metadata-var1": {},
  "metadata-var2": {},
  "metadata-var3": {},
  "basic-cimd": {},
  "scope-from-www-authenticate": {},
  "scope-from-scopes-supported": {},
  "scope-omitted-when-undefined": {},
  "scope-step-up": {},
  "scope-retry-limit": { refusal: "insufficient_scope" },
  "token-endpoint-auth-basic": {},
  "token-endpoint-auth-post": {},
  "token-endpoint-auth-none": {},
  "pre-registration": {},
  "2025-03-26-oauth-metadata-backcompat": {},
  "2025-03-26-oauth-endpoint-fallback": {},
  "resource-mismatch": { refusal: "resource_mismatch" },
  "offline-access-scope": {},
  "offline-access-not-supported": {},
  "authorization-server-migration": {},
  "iss-supported": {},
  "iss-not-advertised": {},
  "iss-supported-missing": { refusal: "issuer_mismatch" },
  "iss-wrong-issuer": { refusal: "issuer_mismatch" },
  "iss-unexpected": { refusal: "issuer_mismatch" },
  "iss-normalized": { refusal: "issuer_mismatch" },
  "metadata-issuer-mismatch": { refusal: "issuer_mismatch" },
  "client-credentials-jwt": {},
  "client-credentials-basic": {},
  "enterprise-managed-authorization": {},
  dpop: {},
  "dpop-nonce": {},
  "wif-jwt-bearer": {},
};
