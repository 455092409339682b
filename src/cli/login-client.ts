import { McpOAuthError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { readSecretSource } from "../core/secret-source.ts";
import { inertText } from "../core/text.ts";
import type { PreRegisteredClient } from "../index.ts";
import type { CommandContext } from "./command-context.ts";
import { CommandFailed } from "./command-failed.ts";
import { exitCodes } from "./exit-codes.ts";
import { findIssuer } from "./first-look.ts";
import { readStdin } from "./read-stdin.ts";
import { shellWord } from "./shell-word.ts";

/** The environment variable that a client secret may come in; an argument could be read by everybody on the machine. */
export const SECRET_VARIABLE = "MCP_OAUTH_CLIENT_SECRET";

export interface ClientOptions {
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly issuer?: string;
}

async function clientSecretOf(
  { environment, signal }: CommandContext,
  file: string | undefined,
): Promise<Secret | undefined> {
  if (file === "-") {
    const piped = (await readStdin(signal)).trim();
    if (piped === "") throw new McpOAuthError("invalid_configuration", "There is no client secret on stdin.");
    return new Secret(piped);
  }
  if (file !== undefined) return readSecretSource({ file });
  return (environment[SECRET_VARIABLE] ?? "") === ""
    ? undefined
    : readSecretSource({ environmentVariable: SECRET_VARIABLE });
}

/**
 * The client that was named on the command line. A client belongs to one authorization server. Where none is named, a
 * public client is used with the one that the MCP server names, which is told; a secret is not handed to whomever a server
 * names.
 */
export async function clientOf(
  context: CommandContext,
  server: string,
  { clientId, clientSecretFile, issuer }: ClientOptions,
): Promise<PreRegisteredClient | undefined> {
  if (clientId === undefined) {
    if (clientSecretFile === undefined && issuer === undefined) return undefined;
    throw new CommandFailed("--client-secret-file and --issuer need --client-id.", exitCodes.usage, { code: "usage" });
  }
  const clientSecret = await clientSecretOf(context, clientSecretFile);
  if (issuer !== undefined) return { issuer, clientId, ...(clientSecret !== undefined && { clientSecret }) };
  const found = await findIssuer(context, server);
  if (clientSecret === undefined) {
    context.output.note(`The client ${inertText(clientId)} is used at ${inertText(found)}, which ${server} names.`);
    return { issuer: found, clientId };
  }
  const message = `A client secret needs --issuer: it is sent to no authorization server that you have not named.`;
  throw new CommandFailed(message, exitCodes.usage, {
    code: "usage",
    hint: `${server} signs in at ${inertText(found)}. If the client is registered there, add: --issuer ${shellWord(inertText(found))}`,
    issuer: found,
  });
}
