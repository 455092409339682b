import { type MachineGrant, TokenManager, type TokenManagerOptions } from "mcp-oauth-client";
import { browse } from "./browser.ts";
import { CLIENT_METADATA_URL, type Run } from "./context.ts";

function grantsOf({ scenario, url, context }: Run): MachineGrant[] {
  const server = url.href;
  const { client_id: clientId = "", client_secret: clientSecret = "" } = context;
  switch (scenario) {
    case "client-credentials-basic":
      return [{ type: "client_credentials", server, clientId, clientSecret }];
    case "client-credentials-jwt": {
      const { private_key_pem: key = "", signing_algorithm: algorithm = "" } = context;
      return [{ type: "client_credentials", server, clientId, privateKey: { key, algorithm } }];
    }
    case "wif-jwt-bearer":
      return [{ type: "jwt_bearer", server, assertion: () => context.valid_jwt ?? "" }];
    case "enterprise-managed-authorization": {
      const {
        idp_client_id: idpClientId = "",
        idp_issuer: issuer = "",
        idp_token_endpoint: tokenEndpoint = "",
      } = context;
      return [
        {
          type: "enterprise_managed",
          server,
          client: { clientId, clientSecret },
          identityProvider: { clientId: idpClientId, issuer, tokenEndpoint },
          subjectToken: () => ({ token: context.idp_id_token ?? "" }),
        },
      ];
    }
    default:
      return [];
  }
}

/**
 * The token manager as a host makes it, the same for all scenarios: beside what was registered by hand nothing depends on
 * the scenario.
 */
function hostOptions(run: Run): TokenManagerOptions {
  const { issuer, client_id: clientId = "", client_secret: clientSecret = "" } = run.context;
  return {
    clientName: "Conformance",
    store: "memory",
    clientMetadataUrl: CLIENT_METADATA_URL,
    openBrowser: (url) => browse(url),
    clients: issuer === undefined ? [] : [{ issuer, clientId, clientSecret }],
    grants: grantsOf(run),
  };
}

/** The token manager of a run. */
export function startHost(run: Run, changes: Partial<TokenManagerOptions> = {}): TokenManager {
  return new TokenManager({ ...hostOptions(run), ...changes });
}
