import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TokenManager } from "mcp-oauth-client";
import { defaultStateDirectory } from "../../../../src/adapters/file-lock/state-directory.ts";
import { type Clock, systemClock } from "../../../../src/core/clock.ts";
import { UserAgent } from "../../../servers/user-agent.ts";
import type { CliHome } from "./run-cli.ts";

/** Does something with a token manager on the sessions of a home, within this process, which takes less time than another. */
async function within(
  { folder, env }: CliHome,
  options: { account?: string; clock?: Clock },
  work: (tokens: TokenManager) => Promise<unknown>,
): Promise<void> {
  const person = new UserAgent();
  // Where the program looks by itself.
  const directory = defaultStateDirectory(env, process.platform, folder);
  const encryptedFile = { key: env.MCP_OAUTH_CLIENT_KEY ?? "", directory: join(directory, "tokens") };
  const tokens = new TokenManager({
    clientName: "mcp-oauth",
    ...options,
    store: "encrypted-file",
    storeOptions: { encryptedFile, directory },
    // As a real launcher: returns when the browser has started, not when the person is done.
    openBrowser: (address) => void person.open(address),
  });
  try {
    await work(tokens);
  } finally {
    await tokens.close();
  }
}

/** Damages the files that this work writes into the encrypted store of a home. */
export async function damageWhatIsWrittenBy({ folder, env }: CliHome, work: () => Promise<unknown>): Promise<void> {
  const records = join(defaultStateDirectory(env, process.platform, folder), "tokens", "records");
  const list = async (): Promise<string[]> => (await readdir(records)).filter((name) => name.endsWith(".record"));
  const before = await list();
  await work();
  for (const name of (await list()).filter((each) => !before.includes(each))) {
    const bytes = await readFile(join(records, name));
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(join(records, name), bytes);
  }
}

/**
 * Signs in, so that the home has a session.
 *
 * @param clock what the time is then. Default: now.
 */
export function signIn(
  home: CliHome,
  url: URL | string,
  account = "default",
  clock: Clock = systemClock,
): Promise<void> {
  return within(home, { account, clock }, (tokens) => tokens.signIn(url));
}

/** Keeps a key in a home, as a host does for a server without OAuth. */
export function keepKey(home: CliHome, url: URL | string, key: string, header?: string): Promise<void> {
  return within(home, {}, (tokens) => tokens.setToken(url, key, header === undefined ? {} : { header }));
}

/** What no output may have unless it was asked for: tokens of both kinds of test servers, and codes. */
export const anySecret: RegExp = /eyJ|[?&]code=|[0-9a-f]{8}-[0-9a-f]{4}-/;

/** The lines of a text that are wider than 80 columns, apart from addresses, which must stay whole to be copied. */
export function tooWide(text: string): string[] {
  return text.split("\n").filter((line) => line.length > 80 && !/^\s*\S*https?:\S+$/.test(line));
}
