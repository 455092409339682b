import { McpOAuthError } from "../core/errors.ts";
import { isLoopbackHost, parseUrl } from "../core/url.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import type { PendingRedirect, RedirectOptions, RedirectReceiver } from "../ports/redirect-receiver.ts";

/** The listener for a redirect URI that a client has registered, if that is one we can listen on. */
function optionsFor(registered: string): RedirectOptions | undefined {
  const url = parseUrl(registered);
  if (url === undefined || url.protocol !== "http:" || !isLoopbackHost(url.hostname)) return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, path: url.pathname, ...(url.port !== "" && { port: Number(url.port) }) };
}

/**
 * Opens the redirect URI for a sign-in: where the client that will be used has registered one, that very one; else as
 * configured, which by default is a free port on 127.0.0.1.
 *
 * A dynamic client whose port is taken gets a new port (and so a new registration); for a client that was registered by
 * hand the port is not ours to change.
 *
 * @throws `redirect_unavailable`, `invalid_configuration`.
 */
export async function openRedirect(
  receiver: RedirectReceiver,
  configured: RedirectOptions,
  client: OAuthClient | undefined,
): Promise<PendingRedirect> {
  const registered = client?.redirectUris?.[0];
  const listenOn = registered === undefined ? undefined : optionsFor(registered);
  if (client === undefined || listenOn === undefined) {
    return receiver.open({
      ...configured,
      ...(client?.how === "pre-registered" && registered !== undefined && { uri: registered }),
    });
  }
  if (client.how === "pre-registered") {
    return receiver.open({
      ...configured,
      ...listenOn,
      ...(listenOn.port !== undefined && registered !== undefined && { uri: registered }),
    });
  }
  // A configured port or host that changed since the registration wins: the client is then registered anew.
  const changed = (["port", "host", "path"] as const).some(
    (name) => configured[name] !== undefined && configured[name] !== listenOn[name],
  );
  if (changed || configured.uri !== undefined) return receiver.open(configured);
  try {
    return await receiver.open(listenOn);
  } catch (error) {
    if (error instanceof McpOAuthError && error.code === "redirect_unavailable" && configured.port === undefined) {
      return receiver.open(configured);
    }
    throw error;
  }
}
