import type { McpOAuthError } from "../core/errors.ts";
import { inertText } from "../core/text.ts";
import type { TokenManager } from "../token-manager.ts";
import { CommandFailed } from "./command-failed.ts";
import { inCommandLineWords } from "./command-line-words.ts";
import { exitCodes } from "./exit-codes.ts";
import { shellWord } from "./shell-word.ts";
import { didYouMean, similarServer } from "./similar-server.ts";

/** What an error says to a person at a terminal. */
export interface Explanation {
  readonly message: string;
  /** What to do next, mostly a command to copy. */
  readonly hint?: string;
}

/** What the command was called with, for the commands that are proposed. */
export interface Occasion {
  readonly server?: string | undefined;
  readonly account?: string | undefined;
}

/** Which account, where it is not the usual one. */
export function accountText({ account = "default" }: Occasion): string {
  return account === "default" ? "" : ` (account ${inertText(account)})`;
}

/** The command that signs in. */
export function loginCommandLine({ server = "URL", account = "default" }: Occasion): string {
  const choice = account === "default" ? "" : ` --account ${shellWord(inertText(account))}`;
  return `mcp-oauth login ${shellWord(server)}${choice}`;
}

/** The failure of a command that finds nobody signed in. */
export async function signInNeeded(
  tokens: TokenManager,
  called: { readonly server: string; readonly account: string },
): Promise<CommandFailed> {
  const similar = await similarServer(tokens, called);
  const hint = similar === undefined ? `Sign in: ${loginCommandLine(called)}` : didYouMean(similar);
  const message = `You are not signed in to ${called.server}${accountText(called)}.`;
  return new CommandFailed(message, exitCodes.signInRequired, { code: "sign_in_required", hint, ...called });
}

/** The library's advice names its options; here the command line's stand in for them. */
export function explain(error: McpOAuthError, called: Occasion): Explanation {
  const { code, server = called.server } = error;
  const message = inCommandLineWords(error.message);
  // A server chose it.
  const issuer = inertText(error.issuer ?? "its authorization server");
  const login = loginCommandLine({ server, account: called.account });
  const notSignedIn = {
    message: `You are not signed in to ${server}${accountText(called)}.`,
    hint: `Sign in: ${login}`,
  };
  switch (code) {
    case "interaction_required":
      return notSignedIn;
    case "sign_in_required":
      // Without a server, nothing more is known than that there is no session.
      return error.server === undefined ? notSignedIn : { message, hint: notSignedIn.hint };
    case "client_unavailable":
      return {
        message: `${server} signs in at ${issuer}, which offers no way to register a client by itself.`,
        hint: `Register a client with the operator of ${issuer}, then: ${login} --client-id ID`,
      };
    case "client_mismatch":
      return {
        message: `${server} signs in at ${issuer}, and the client that was given belongs to another authorization server.`,
        hint: `With a client of that one: ${login} --client-id ID --issuer ${shellWord(issuer)}`,
      };
    case "redirect_unavailable":
      return { message, hint: `Another port: ${login} --redirect-port PORT` };
    case "discovery_failed":
    case "resource_mismatch":
    case "issuer_mismatch":
    case "pkce_unsupported":
    case "invalid_response":
    case "registration_failed":
      return { message, hint: `Find out why: mcp-oauth doctor ${shellWord(server ?? "URL")}` };
    default:
      return { message };
  }
}
