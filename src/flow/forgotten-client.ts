import { type AuthorizationRequestOptions, createAuthorizationRequest } from "../authorization/request.ts";
import type { FlowContext } from "./context.ts";
import { takesPushedRequests } from "./push-request.ts";

/**
 * Whether the authorization server no longer knows a stored client, or does not take a client's metadata document although
 * it says that it does. It tells the user, by an error page, and not us; so before a user is sent there with a client that
 * was not used of late, the same kind of request is sent once without a user.
 *
 * A server that knows the client answers with a page or a redirect; 400, 401 and 403 mean that it does not. Anything else
 * says nothing, and the user is sent.
 */
export async function isForgottenClient(
  context: FlowContext,
  options: AuthorizationRequestOptions,
  signal: AbortSignal,
): Promise<boolean> {
  // A server that takes pushed requests tells us itself.
  const { client, authorizationServer: metadata } = options;
  if (context.registry.isProven(client, metadata) || takesPushedRequests(metadata)) return false;
  const { url } = createAuthorizationRequest(options);
  const { server, authorizationServer } = options;
  try {
    const { status } = await context.http.send({
      method: "GET",
      url,
      withoutBody: true,
      signal,
      what: "The authorization endpoint",
      details: { server, issuer: authorizationServer.issuer },
    });
    return status === 400 || status === 401 || status === 403;
  } catch {
    return false;
  }
}
