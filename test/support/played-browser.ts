import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { listen } from "../servers/request-log.ts";
import { UserAgent } from "../servers/user-agent.ts";

/** A browser for programs that open the system's one, with a person in front of it. */
export interface PlayedBrowser {
  /** What a child process needs in its environment to open this browser. */
  readonly env: Record<string, string>;
  /** The addresses that were opened. */
  readonly visited: string[];
  /** Whether the person declines. */
  deny: boolean;
  close(): Promise<void>;
}

export interface PlayedBrowserOptions {
  /** Opens an address in place of a {@link UserAgent}, as a real browser does; it is not waited for. */
  open?: (address: string) => unknown;
}

/**
 * Starts a browser, which is a program as the system's one is: it hands the address over to a {@link UserAgent} in this
 * process. On Unix it is found by BROWSER; on macOS, which has none, as the first `open` in PATH.
 */
export async function startPlayedBrowser(options: PlayedBrowserOptions = {}): Promise<PlayedBrowser> {
  const folder = await mkdtemp(join(tmpdir(), "played-browser-"));
  const program = join(folder, "open");
  const person = await listen((request, response) => {
    const { searchParams } = new URL(request.url ?? "/", "http://person.invalid");
    const address = searchParams.get("open") ?? "";
    browser.visited.push(address);
    // Like a browser, which is there at once and shows its pages later.
    response.end();
    if (options.open === undefined) void new UserAgent({ deny: browser.deny }).open(address);
    else options.open(address);
  });
  const visit = `fetch(${JSON.stringify(`${person.url}/?open=`)} + encodeURIComponent(process.argv[1]))`;
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' --eval '${visit}' "$1"\n`, { mode: 0o755 });
  const browser: PlayedBrowser = {
    env: { BROWSER: program, PATH: `${folder}${delimiter}${process.env.PATH}` },
    visited: [],
    deny: false,
    async close() {
      await person.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return browser;
}
