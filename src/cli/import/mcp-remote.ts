import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isJsonObject, type JsonObject, textMember } from "../../core/json.ts";
import type { ImportedClient, ImportedSession } from "../../index.ts";
import { type ForeignSession, type SearchPlaces, unreadable } from "./foreign-session.ts";
import { readJson, readText } from "./read-json.ts";
import { claimsOf } from "./token-claims.ts";

/** One session's files. Their names begin with a hash of the server's URL. */
interface Files {
  readonly folder: string;
  readonly hash: string;
  readonly writtenAt: number;
}

const TOKENS = "_tokens.json";
/** Logs are long; the address is at their beginning. */
const LONGEST_LOG = 1_000_000;
const ANY_URL = /https?:\/\/[^\s"'`<>\\,)\]}]+/g;

/** Where hosts are configured: what they start mcp-remote with has the server's URL in it. */
function configurationFiles({ home, environment }: SearchPlaces): string[] {
  const { APPDATA: applicationData = join(home, "AppData/Roaming"), XDG_CONFIG_HOME: config = join(home, ".config") } =
    environment;
  const folders = [applicationData, config, join(home, "Library/Application Support")];
  return [
    ...folders.flatMap((folder) => [
      join(folder, "Claude/claude_desktop_config.json"),
      join(folder, "Code/User/mcp.json"),
    ]),
    join(home, ".claude.json"),
    join(home, ".cursor/mcp.json"),
    join(home, ".codeium/windsurf/mcp_config.json"),
  ];
}

async function filesIn(folder: string): Promise<Files[]> {
  const names = await readdir(folder).catch(() => []);
  const hashes = names.filter((name) => /^[0-9a-f]{32}_tokens\.json$/.test(name)).map((name) => name.slice(0, 32));
  return Promise.all(
    hashes.map(async (hash) => {
      // A link may lead nowhere; reading it says so.
      const { mtimeMs } = await stat(join(folder, hash + TOKENS)).catch(() => ({ mtimeMs: 0 }));
      return { folder, hash, writtenAt: mtimeMs };
    }),
  );
}

/** All sessions; of one that several versions of the program have left behind, the latest. */
async function allFiles({ home, environment }: SearchPlaces): Promise<Files[]> {
  const base = environment.MCP_REMOTE_CONFIG_DIR || join(home, ".mcp-auth");
  const versions = (await readdir(base).catch(() => [])).filter((name) => name.startsWith("mcp-remote-"));
  const found = (await Promise.all(versions.map((version) => filesIn(join(base, version))))).flat();
  const latest = new Map<string, Files>();
  for (const files of found.sort((left, right) => left.writtenAt - right.writtenAt)) latest.set(files.hash, files);
  return [...latest.values()];
}

/** The URLs in a text, each once. */
function urlsIn(text: string | undefined): string[] {
  return [...new Set(text?.match(ANY_URL) ?? [])];
}

/** URLs out of one session's own files. */
async function noted(files: Files, accessToken: string): Promise<string[]> {
  const { aud } = claimsOf(accessToken);
  const log = await readText(join(files.folder, `${files.hash}_debug.log`));
  return [...[aud].flat().filter((each) => typeof each === "string"), ...urlsIn(log?.slice(0, LONGEST_LOG))];
}

/** The URL that the files' name is made of. With its other options, mcp-remote makes other names, which stay unknown. */
function serverOf({ hash }: Files, candidates: readonly string[]): string | undefined {
  const spellings = candidates.flatMap((url) => [url, url.replace(/\/$/, ""), `${url}/`]);
  return spellings.find((url) => createHash("md5").update(url).digest("hex") === hash);
}

function clientOf(registration: JsonObject): ImportedClient | undefined {
  const clientId = textMember(registration, "client_id");
  if (clientId === undefined) return undefined;
  const clientSecret = textMember(registration, "client_secret");
  const { token_endpoint_auth_method: method, client_secret_expires_at: endsAt } = registration;
  const usesSecret = method === "client_secret_basic" || method === "client_secret_post";
  return {
    clientId,
    ...(clientSecret !== undefined && { clientSecret }),
    ...(clientSecret !== undefined && typeof endsAt === "number" && endsAt > 0 && { secretExpiresAt: endsAt * 1000 }),
    ...((method === "none" || (usesSecret && clientSecret !== undefined)) && { authenticationMethod: method }),
  };
}

/** Older versions noted only how long the token lasts, from when its file was written. */
function expiryOf({ expires_at: at, expires_in: seconds }: JsonObject, { writtenAt }: Files): number | undefined {
  const noted = Number(at ?? Number.NaN);
  const end = Number.isFinite(noted) ? noted : writtenAt + (typeof seconds === "number" ? seconds * 1000 : Number.NaN);
  return Number.isFinite(end) ? Math.round(end) : undefined;
}

/** @param urls those that could be a server's; the hash decides. */
async function sessionIn(files: Files, urls: readonly string[]): Promise<ForeignSession> {
  const path = (name: string): string => join(files.folder, `${files.hash}_${name}`);
  const described = { origin: "mcp-remote", label: files.hash } as const;
  const tokens = await readJson(path("tokens.json"));
  const accessToken = isJsonObject(tokens) ? textMember(tokens, "access_token") : undefined;
  if (!isJsonObject(tokens) || accessToken === undefined) return { ...described, problem: "its file has no token" };
  const server = serverOf(files, [...urls, ...(await noted(files, accessToken))]);
  if (server === undefined) {
    const problem = "its files do not say which server it is of; name it with --server URL";
    return { ...described, problem };
  }
  const known = { ...described, server };
  const registration = await readJson(path("client_info.json"));
  const client = isJsonObject(registration) ? clientOf(registration) : undefined;
  if (client === undefined)
    return { ...known, problem: "the client it belongs to was given by hand and is not in its files" };
  const { iss } = claimsOf(accessToken);
  const issuer =
    textMember(tokens, "issuer") ??
    (isJsonObject(registration) ? textMember(registration, "issuer") : undefined) ??
    (typeof iss === "string" ? iss : undefined);
  if (issuer === undefined)
    return { ...known, problem: "nothing in its files says which authorization server it is of" };
  const [refreshToken, scope] = [textMember(tokens, "refresh_token"), textMember(tokens, "scope")];
  const expiresAt = expiryOf(tokens, files);
  const session: ImportedSession = {
    issuer,
    client,
    accessToken,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(scope !== undefined && { scope }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
  const forget = async (): Promise<void> => {
    for (const name of ["tokens.json", "client_info.json"]) await rm(path(name), { force: true });
  };
  return { ...known, session, forget };
}

/** The sessions of mcp-remote (https://github.com/geelen/mcp-remote), versions 0.1 to 0.15. */
export async function findInMcpRemote(places: SearchPlaces): Promise<ForeignSession[]> {
  const found = await allFiles(places);
  if (found.length === 0) return [];
  const configurations = await Promise.all(
    configurationFiles(places).map((path) => readText(path).catch(() => undefined)),
  );
  const urls = [...places.servers, ...configurations.flatMap(urlsIn)];
  return Promise.all(
    found.map((files) => sessionIn(files, urls).catch((error) => unreadable("mcp-remote", files.hash, error))),
  );
}
