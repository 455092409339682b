import { configuredClient } from "../../endpoint/configured-client.ts";
import { requestToken } from "../../endpoint/token-request.ts";
import type { ClientCredentialsGrant } from "../machine-grants.ts";
import { type GrantedTokens, type MachineContext, targetParameters } from "./machine-context.ts";

/** Gets tokens for a machine by its own credentials (OAuth 2.1 section 4.2). No refresh token is expected or kept. */
export async function grantClientCredentials(
  context: MachineContext,
  grant: ClientCredentialsGrant,
): Promise<GrantedTokens> {
  const client = configuredClient(grant, context.authorizationServer);
  const parameters = targetParameters(context);
  const tokens = await requestToken({ ...context, client }, { type: "client_credentials", parameters, secrets: [] });
  return { client, tokens };
}
