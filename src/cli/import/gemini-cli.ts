import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isJsonObject, type JsonObject, textMember } from "../../core/json.ts";
import { quoted } from "../../core/text.ts";
import type { ImportedSession } from "../../index.ts";
import { type ForeignSession, type SearchPlaces, unreadable } from "./foreign-session.ts";
import { readJson, readText, replaceJson } from "./read-json.ts";

const ORIGIN = "gemini-cli" as const;

/** What its settings say of a server: its address, and the client where it was given by hand. */
async function settingsOf(folder: string, name: string): Promise<JsonObject> {
  const settings = await readJson(join(folder, "settings.json"));
  const servers = isJsonObject(settings) && isJsonObject(settings.mcpServers) ? settings.mcpServers : {};
  const server = Object.hasOwn(servers, name) ? servers[name] : undefined;
  return isJsonObject(server) ? server : {};
}

async function remove(file: string, name: string): Promise<void> {
  const entries = await readJson(file);
  if (!Array.isArray(entries)) return;
  const rest = entries.filter((entry) => !isJsonObject(entry) || entry.serverName !== name);
  if (rest.length === 0) await rm(file, { force: true });
  else await replaceJson(file, rest);
}

async function sessionIn(folder: string, file: string, entry: JsonObject): Promise<ForeignSession> {
  const name = textMember(entry, "serverName") ?? "without a name";
  const settings = await settingsOf(folder, name);
  const byHand = isJsonObject(settings.oauth) ? settings.oauth : {};
  const server = textMember(entry, "mcpServerUrl") ?? textMember(settings, "httpUrl") ?? textMember(settings, "url");
  if (server !== undefined && !URL.canParse(server))
    return { origin: ORIGIN, label: name, problem: `the address of its server is not a URL: ${quoted(server)}` };
  const described = { origin: ORIGIN, label: name, ...(server !== undefined && { server }) };
  const token = isJsonObject(entry.token) ? entry.token : {};
  const accessToken = textMember(token, "accessToken");
  const clientId = textMember(entry, "clientId") ?? textMember(byHand, "clientId");
  const tokenEndpoint = textMember(entry, "tokenUrl") ?? textMember(byHand, "tokenUrl");
  if (accessToken === undefined) return { ...described, problem: "its file has no token" };
  if (server === undefined) return { ...described, problem: "nothing says which server it is of" };
  if (clientId === undefined) return { ...described, problem: "the client it belongs to is not in its files" };
  if (tokenEndpoint === undefined)
    return { ...described, problem: "nothing in its files says which authorization server it is of" };
  const clientSecret = textMember(byHand, "clientId") === clientId ? textMember(byHand, "clientSecret") : undefined;
  const [refreshToken, scope] = [textMember(token, "refreshToken"), textMember(token, "scope")];
  const { expiresAt } = token;
  const session: ImportedSession = {
    tokenEndpoint,
    client: { clientId, ...(clientSecret !== undefined && { clientSecret }) },
    accessToken,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(scope !== undefined && { scope }),
    ...(typeof expiresAt === "number" && { expiresAt: Math.round(expiresAt) }),
  };
  return { ...described, session, forget: () => remove(file, name) };
}

async function sessionsIn(folder: string, file: string): Promise<ForeignSession[]> {
  const entries = await readJson(file);
  const sessions = (Array.isArray(entries) ? entries : []).filter(isJsonObject);
  return Promise.all(sessions.map((entry) => sessionIn(folder, file, entry)));
}

/** The sessions of gemini-cli (https://github.com/google-gemini/gemini-cli), as far as they are not encrypted. */
export async function findInGeminiCli({ home, environment }: SearchPlaces): Promise<ForeignSession[]> {
  const folder = join(environment.GEMINI_CLI_HOME || home, ".gemini");
  const file = "mcp-oauth-tokens.json";
  const found = await sessionsIn(folder, join(folder, file)).catch((error) => [unreadable(ORIGIN, file, error)]);
  const encrypted = "mcp-oauth-tokens-v2.json";
  if ((await readText(join(folder, encrypted)).catch(() => "")) === undefined) return found;
  const problem = "it is encrypted by gemini-cli for itself, or kept in the keychain; sign in anew instead";
  return [...found, { origin: ORIGIN, label: encrypted, problem }];
}
