import type { AuthorizationRequest } from "../authorization/request.ts";
import { McpOAuthError } from "../core/errors.ts";
import { parseUrl } from "../core/url.ts";
import type { PromptForRedirect } from "../ports/prompt.ts";

const MOST_ATTEMPTS = 5;
const LONGEST_TEXT = 64 * 1024;

/** The response parameters in what a user pasted: the whole address of the page, or only its query. */
export function parsePastedRedirect(pasted: string): URLSearchParams | undefined {
  const text = pasted.trim();
  if (text === "" || text.length > LONGEST_TEXT) return undefined;
  const parameters = parseUrl(text)?.searchParams ?? new URLSearchParams(text.replace(/^\?/, ""));
  return parameters.has("state") && (parameters.has("code") || parameters.has("error")) ? parameters : undefined;
}

/**
 * Asks the user for the address that the browser ended on until a response to this request comes. Never resolves when
 * the prompt has no way to paste (it returned nothing): the response then comes some other way.
 *
 * @throws `invalid_authorization_response` after five useless pastes, and what the prompt throws.
 */
export async function receivePastedRedirect(
  prompt: PromptForRedirect,
  request: AuthorizationRequest,
  signal: AbortSignal,
): Promise<URLSearchParams> {
  const question = {
    authorizationUrl: request.url,
    server: request.server,
    authorizationServer: new URL(request.url).host,
    signal,
  };
  let problem: string | undefined;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const pasted = await prompt(question, problem);
    if (typeof pasted !== "string" || signal.aborted) return new Promise(() => undefined);
    const parameters = parsePastedRedirect(pasted);
    if (parameters !== undefined && parameters.get("state") === request.state) return parameters;
    problem =
      parameters === undefined
        ? "That is not the address of the page after the sign-in: it must contain code= and state=."
        : "That address belongs to another sign-in. Use the page that this one ended on.";
  }
  throw new McpOAuthError(
    "invalid_authorization_response",
    `No usable address was pasted for ${request.server}. Start the sign-in again.`,
    {
      server: request.server,
      issuer: request.authorizationServer.issuer,
    },
  );
}
