import type { Command } from "commander";
import { findMcpOAuthError } from "../../core/errors.ts";
import { type Fetch, platformFetch } from "../../core/http.ts";
import { isJsonObject, parseJsonObject, textMember } from "../../core/json.ts";
import { inertText } from "../../core/text.ts";
import { waitFor } from "../../core/wait-for.ts";
import type { MetadataDocumentFinding } from "../../index.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import { newCommand } from "../new-command.ts";
import { several, someText } from "../option-values.ts";
import type { Output } from "../output.ts";
import { perform } from "../perform.ts";
import { readStdin } from "../read-stdin.ts";

interface DocumentOptions extends CommonOptions {
  readonly url?: string;
  readonly name?: string;
  readonly redirect?: readonly string[];
  readonly scope?: string;
  readonly device?: boolean;
  readonly jwks?: string;
  readonly jwksUri?: string;
  readonly clientUri?: string;
  readonly logoUri?: string;
}

interface LintOptions extends CommonOptions {
  readonly url?: string;
}

const description = `Prints a client ID metadata document: a JSON file that you serve at an https address, which is then your application's client id at every authorization server that supports it. No registration is needed.`;

const lintDescription = `Checks a client ID metadata document: what it says, and for an address also how it is served. The exit code is 1 where it has errors, and 6 where the address cannot be reached; warnings do not count.`;

export function clientMetadataCommand(): Command {
  const url = "https://app.example.com/client.json";
  return newCommand({
    name: "client-metadata",
    summary: "make or check a client ID metadata document",
    description,
    examples: [
      [`mcp-oauth client-metadata --url ${url} \\\n      --name "My App" > client.json`, "make one"],
      [`mcp-oauth client-metadata lint client.json`, "check the file"],
      [`mcp-oauth client-metadata lint ${url}`, "check it as it is served"],
    ],
    keepsNothing: true,
  })
    .enablePositionalOptions()
    .option("--url <url>", "where the document will be served; needed")
    .option("--name <name>", "your application's name on consent pages; needed", someText)
    .option("--redirect <uri>", "a redirect URI; may stand several times (default: loopback)", several)
    .option("--scope <scopes>", "the scopes that your application may ask for, separated by spaces")
    .option("--device", "your application also signs in with codes on other devices")
    .option("--jwks <file>", "public keys (JWKS), for a client that authenticates by private_key_jwt")
    .option("--jwks-uri <url>", "where they are served instead")
    .option("--client-uri <url>", "your application's home page")
    .option("--logo-uri <url>", "its logo")
    .action(perform(printDocument))
    .addCommand(lintCommand(url));
}

function lintCommand(url: string): Command {
  return newCommand({
    name: "lint",
    summary: "check a document, in a file or as it is served",
    description: lintDescription,
    examples: [
      [`mcp-oauth client-metadata lint ${url}`, "as it is served"],
      [`mcp-oauth client-metadata lint client.json \\\n      --url ${url}`, "a file, before it is served there"],
      ["mcp-oauth client-metadata lint - < client.json", "from stdin"],
    ],
    keepsNothing: true,
  })
    .argument("<file-or-url>", "the document; - is stdin")
    .option("--url <url>", "where a file will be served (default: its client_id)")
    .action(perform(lint));
}

async function readText(file: string, signal: AbortSignal): Promise<string> {
  try {
    if (file === "-") return await readStdin(signal);
    return await (await import("node:fs/promises")).readFile(file, "utf8");
  } catch (error) {
    if (findMcpOAuthError(error) !== undefined) throw error;
    const message = `${inertText(file)} cannot be read.`;
    throw new CommandFailed(message, exitCodes.usage, { code: "invalid_argument" }, error);
  }
}

async function readKeys(file: string, signal: AbortSignal): Promise<{ keys: Record<string, unknown>[] }> {
  const keys = parseJsonObject(await readText(file, signal))?.keys;
  if (Array.isArray(keys) && keys.every(isJsonObject)) return { keys };
  const message = `${inertText(file)} is not a JWK set: a JSON object with "keys" (RFC 7517).`;
  throw new CommandFailed(message, exitCodes.usage, { code: "invalid_argument" });
}

async function printDocument({ output, signal }: CommandContext, options: DocumentOptions): Promise<void> {
  const { url, name, redirect, scope, device, jwks, jwksUri, clientUri, logoUri } = options;
  if (url === undefined || name === undefined) {
    const hint = "mcp-oauth client-metadata --help";
    throw new CommandFailed("A document needs --url and --name.", exitCodes.usage, { code: "usage", hint });
  }
  const { clientMetadataDocument, lintClientMetadataDocument } = await import(
    "../../registration/metadata-document-tools.ts"
  );
  const document = clientMetadataDocument({
    url,
    clientName: name,
    ...(redirect !== undefined && { redirectUris: redirect }),
    ...(scope !== undefined && { scope }),
    ...(device !== undefined && { deviceFlow: device }),
    ...(jwks !== undefined && { jwks: await readKeys(jwks, signal) }),
    ...(jwksUri !== undefined && { jwksUri }),
    ...(clientUri !== undefined && { clientUri }),
    ...(logoUri !== undefined && { logoUri }),
  });
  const content = JSON.stringify(document, null, 2);
  const findings = lintClientMetadataDocument(content, url);
  const errors = findings.filter(({ level }) => level === "error");
  if (errors.length > 0) {
    const message = `That would not be a usable document: ${errors.map(inOneLine).join("; ")}.`;
    throw new CommandFailed(message, exitCodes.failure, { code: "invalid_configuration", findings });
  }
  output.raw(content);
  for (const finding of findings) output.note(`${finding.level}: ${inOneLine(finding)}`, "yellow");
}

function inOneLine({ member, message }: MetadataDocumentFinding): string {
  return inertText(`${member} ${message}`, 500);
}

/** What is wrong with a document, and the exit code where that has one of its own. */
interface Verdict {
  readonly findings: readonly MetadataDocumentFinding[];
  readonly exitCode?: number;
}

async function checkServed(url: string, signal: AbortSignal): Promise<Verdict> {
  const { checkClientMetadataUrl } = await import("../../registration/hosted-metadata-document.ts");
  let wasReached = true;
  const fetch: Fetch = (input, init) =>
    platformFetch(input, init).catch((error: unknown) => {
      wasReached = false;
      throw error;
    });
  const findings = await waitFor(checkClientMetadataUrl(url, { fetch }), signal);
  return wasReached ? { findings } : { findings, exitCode: exitCodes.network };
}

async function checkFile(file: string, url: string | undefined, signal: AbortSignal): Promise<Verdict> {
  const { lintClientMetadataDocument } = await import("../../registration/metadata-document-tools.ts");
  const content = await readText(file, signal);
  const document = parseJsonObject(content);
  const clientId = textMember(document ?? {}, "client_id");
  const findings = lintClientMetadataDocument(content, url ?? clientId ?? "");
  if (document === undefined || clientId !== undefined) return { findings };
  const message = "is missing: it has to be the address that the document is served at, letter for letter";
  const others = findings.filter(({ member }) => member !== "client_id");
  return { findings: [{ level: "error", member: "client_id", message }, ...others] };
}

async function lint({ output, signal }: CommandContext, source: string, { url }: LintOptions): Promise<number> {
  const isServed = /^https?:/.test(source);
  const { findings, exitCode } = await (isServed ? checkServed(source, signal) : checkFile(source, url, signal));
  output.result({ findings }, report(source, findings, output));
  return exitCode ?? (findings.some(({ level }) => level === "error") ? exitCodes.failure : exitCodes.ok);
}

function report(source: string, findings: readonly MetadataDocumentFinding[], output: Output): string {
  const name = source === "-" ? "The document" : inertText(source, 500);
  if (findings.length === 0) return `${name} is a good client ID metadata document.`;
  const lines = findings.map((finding) => {
    const level = output.style(finding.level === "error" ? "red" : "yellow", finding.level);
    return output.paragraph(`${level}  ${output.style("bold", finding.member)}  ${inertText(finding.message, 500)}`, 4);
  });
  return lines.join("\n");
}
