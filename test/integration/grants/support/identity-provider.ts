import { generateKeyPair, jwtVerify, SignJWT } from "jose";
import type { EnterpriseManagedGrant } from "mcp-oauth-client";
import type { RunningScriptedAuthorizationServer } from "../../../servers/scripted-authorization-server.ts";
import {
  type RunningScriptedServer,
  type ScriptedRoute,
  startScriptedServer,
} from "../../../servers/scripted-server.ts";
import { closing, startScripted } from "../../flow/support/harness.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
export const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";

export const formOf = (body = ""): Record<string, string> => Object.fromEntries(new URLSearchParams(body));

export interface Enterprise {
  readonly provider: RunningScriptedServer;
  readonly server: RunningScriptedAuthorizationServer;
  /** The subject tokens that are good now; any other is `invalid_grant`. */
  readonly goodSubjects: Set<string>;
  /** Replaces the provider's next answers. */
  answer: ScriptedRoute | undefined;
  /** What was sent to the provider. */
  exchanges(): Record<string, string>[];
  /** What was sent to the MCP server's authorization server. */
  grants(): Record<string, string>[];
  grant(changes?: Partial<EnterpriseManagedGrant>): EnterpriseManagedGrant;
}

/** An enterprise's identity provider and an MCP server whose authorization server takes its assertions. */
export async function startEnterprise(assertionSeconds = 300): Promise<Enterprise> {
  const keys = await generateKeyPair("ES256");
  const goodSubjects = new Set(["alice-id-token"]);
  const provider = closing(await startScriptedServer());
  provider.routes["POST /token"] = async (request, helpers) => {
    if (enterprise.answer !== undefined) return enterprise.answer(request, helpers);
    const { form } = request;
    const subject = form.get("subject_token") ?? "";
    if (form.get("grant_type") !== TOKEN_EXCHANGE) return helpers.json({ error: "unsupported_grant_type" }, 400);
    if (!goodSubjects.has(subject)) return helpers.json({ error: "invalid_grant" }, 400);
    const requested = form.get("requested_token_type") ?? "";
    const answer = { issued_token_type: requested, token_type: "N_A", expires_in: assertionSeconds };
    if (!requested.endsWith("id-jag")) {
      const access_token = `refresh-for-${subject}`;
      goodSubjects.add(access_token);
      return helpers.json({ ...answer, access_token });
    }
    const access_token = await new SignJWT({ client_id: "mcp-client", resource: form.get("resource"), of: subject })
      .setProtectedHeader({ alg: "ES256", typ: "oauth-id-jag+jwt" })
      .setIssuer(helpers.url)
      .setSubject("alice")
      .setAudience(form.get("audience") ?? "")
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(keys.privateKey);
    return helpers.json({ ...answer, access_token });
  };
  let issued = 0;
  const server = await startScripted({
    metadata: {
      grant_types_supported: [JWT_BEARER],
      token_endpoint_auth_methods_supported: ["client_secret_basic"],
      code_challenge_methods_supported: undefined,
    },
    token: async ({ form }, _usual, { json, url }) => {
      const verified = await jwtVerify(form.get("assertion") ?? "", keys.publicKey, {
        issuer: provider.url,
        audience: url,
        typ: "oauth-id-jag+jwt",
      }).catch(() => undefined);
      const isGood = form.get("grant_type") === JWT_BEARER && verified?.payload.resource === `${url}/mcp`;
      return isGood
        ? json({ access_token: `access-${++issued}`, token_type: "Bearer", expires_in: 60, scope: form.get("scope") })
        : json({ error: "invalid_grant" }, 400);
    },
  });
  const enterprise: Enterprise = {
    provider,
    server,
    goodSubjects,
    answer: undefined,
    exchanges: () => provider.log.find("POST", "/token").map(({ body }) => formOf(body)),
    grants: () => server.log.find("POST", "/token").map(({ body }) => formOf(body)),
    grant: (changes = {}) => ({
      type: "enterprise_managed",
      server: server.mcpUrl.href,
      identityProvider: { tokenEndpoint: `${provider.url}/token`, clientId: "sso-client", clientSecret: "sso-s3cret" },
      subjectToken: () => ({ token: "alice-id-token" }),
      client: { clientId: "mcp-client", clientSecret: "mcp-s3cret" },
      ...changes,
    }),
  };
  return enterprise;
}
