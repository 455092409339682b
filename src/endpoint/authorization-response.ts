import { McpOAuthError } from "../core/errors.ts";
import { inertText, quoted } from "../core/text.ts";
import { type AuthorizationServerMetadata, ownIssuer } from "./authorization-server.ts";

export interface ExpectedResponse {
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly clientId: string;
  readonly state: string;
  readonly server: string;
}

/** RFC 9207 section 2.4 with the table of MCP 2026-07-28: present is compared, advertised must be present. */
function requireIssuerParameter(parameters: URLSearchParams, expected: ExpectedResponse): void {
  const { issuer, authorization_response_iss_parameter_supported: advertised } = expected.authorizationServer;
  const details = { server: expected.server, issuer };
  const found = parameters.getAll("iss");
  if (found.length > 1) throw invalid("has the parameter iss more than once", expected);
  const [iss] = found;
  if (iss === undefined && advertised !== true) return;
  if (iss === issuer || iss === ownIssuer(expected.authorizationServer)) return;
  throw new McpOAuthError(
    "issuer_mismatch",
    `The authorization response for ${expected.server} ${iss === undefined ? "names no issuer" : `is from the issuer ${quoted(iss)}`}, expected was ` +
      `${quoted(issuer)} (RFC 9207). The response was not used; sign in again, and report it if it happens again.`,
    details,
  );
}

function invalid(problem: string, expected: ExpectedResponse): McpOAuthError {
  return new McpOAuthError(
    "invalid_authorization_response",
    `The authorization response for ${expected.server} ${problem}, so it was not used. Sign in again.`,
    { server: expected.server, issuer: expected.authorizationServer.issuer },
  );
}

/** Codes with which the user, or the server for the user, said no. */
const DENIALS = new Set(["access_denied", "consent_required", "login_required", "interaction_required"]);

function errorResponse(error: string, parameters: URLSearchParams, expected: ExpectedResponse): McpOAuthError {
  const { issuer } = expected.authorizationServer;
  const description = parameters.get("error_description");
  const explained = description === null || description === "" ? "" : ` (${quoted(description)})`;
  const denied = DENIALS.has(error);
  return new McpOAuthError(
    denied ? "authorization_denied" : "authorization_failed",
    denied
      ? `The sign-in to ${expected.server} was denied at ${issuer}: ${quoted(error, 80)}${explained}. Start it again to give consent.`
      : `The authorization server ${issuer} refused the authorization request for ${expected.server}: ${quoted(error, 80)}${explained}.`,
    { server: expected.server, issuer, oauthError: inertText(error, 80) },
  );
}

/**
 * Validates an authorization response and gives its code: `iss` first, then `state`, then the error, then the code
 * (RFC 6749 section 4.1.2, RFC 9207 section 2.4). Error fields of a response with a wrong issuer or state are neither
 * shown nor acted on.
 *
 * @throws `issuer_mismatch`, `invalid_authorization_response`, `authorization_denied`, `authorization_failed`.
 */
export async function validateAuthorizationResponse(
  parameters: URLSearchParams,
  expected: ExpectedResponse,
): Promise<string> {
  requireIssuerParameter(parameters, expected);
  const state = parameters.getAll("state");
  if (state.length !== 1 || state[0] !== expected.state)
    throw invalid("does not carry the state that was sent", expected);
  const [error, ...moreErrors] = parameters.getAll("error");
  if (moreErrors.length > 0) throw invalid("has the parameter error more than once", expected);
  if (error !== undefined && error !== "") throw errorResponse(error, parameters, expected);
  const oauth = await import("oauth4webapi");
  try {
    oauth.validateAuthResponse(
      // The issuer has been compared above.
      { ...expected.authorizationServer, issuer: parameters.get("iss") ?? expected.authorizationServer.issuer },
      { client_id: expected.clientId },
      parameters,
      expected.state,
    );
  } catch {
    // What it says may hold the parameters; all that it could still refuse is a response of another kind.
    throw invalid("is not the answer to an authorization code request", expected);
  }
  const codes = parameters.getAll("code");
  const [code] = codes;
  if (codes.length !== 1 || code === undefined || code === "")
    throw invalid("does not carry exactly one code", expected);
  return code;
}
