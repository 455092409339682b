import type { AuthorizationRequest } from "../authorization/request.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { pushAuthorizationRequest } from "../endpoint/pushed-authorization-request.ts";
import type { FlowContext } from "./context.ts";

/** Whether requests are pushed to this server: where it requires that, or offers it (RFC 9126 section 5). */
export function takesPushedRequests(authorizationServer: AuthorizationServerMetadata): boolean {
  return authorizationServer.pushed_authorization_request_endpoint !== undefined;
}

function referring({ authorizationServer, client }: AuthorizationRequest, requestUri: string): string {
  const url = new URL(authorizationServer.authorization_endpoint ?? "");
  url.searchParams.set("client_id", client.clientId);
  url.searchParams.set("request_uri", requestUri);
  return url.href;
}

/** Statuses of an endpoint that is out of order, or that the metadata names though it does not exist. */
function isNotThere(status = 0): boolean {
  return status >= 500 || status === 404 || status === 405;
}

/**
 * Pushes a request where the server takes pushed requests; the URL for the browser then only refers to it.
 *
 * @throws `authorization_failed` when the server refuses the request itself; a fault on the way is an error only where
 * pushing is required.
 */
export async function pushRequest(
  context: FlowContext,
  request: AuthorizationRequest,
  signal: AbortSignal,
): Promise<AuthorizationRequest> {
  const { authorizationServer, server, client } = request;
  if (!takesPushedRequests(authorizationServer)) return request;
  try {
    const requestUri = await pushAuthorizationRequest(
      { ...context, server, authorizationServer, client, signal },
      request.parameters,
    );
    return { ...request, url: referring(request, requestUri) };
  } catch (error) {
    const required = authorizationServer.require_pushed_authorization_requests === true;
    const passing =
      error instanceof McpOAuthError &&
      (error.code === "network_failed" || error.code === "timeout" || isNotThere(error.status));
    if (required || !passing) throw error;
    const detail = "the request was not pushed, because the endpoint for that failed";
    context.events.emit("deviation", { server, issuer: client.issuer, rule: "RFC 9126", detail });
    return request;
  }
}
