import { PassThrough } from "node:stream";
import { assertOpenableUrl, openInBrowser, terminalPrompt } from "mcp-oauth-client";
import { describe, expect } from "vitest";
import { failureOf } from "../../support/failure.ts";
import { startHost, startScripted } from "../flow/support/harness.ts";
import { DEVICE_GRANT } from "../grants/support/device-server.ts";
import { hiddenUrls, type UrlCase, urlCases } from "./cases/url-opening.ts";
import { hostile } from "./support/case.ts";

/** All that a URL which is opened or shown may consist of. */
const PLAIN = /^https:\/\/[a-z0-9.-]+\/[A-Za-z0-9\-._~:/?#@&=+,%]*$/;
const REFUSALS = /^(?:insecure_url|invalid_response)$/;

/** What a server's page to sign in on makes a host open. */
async function openedBySignIn(url: string): Promise<string[]> {
  const server = await startScripted({ metadata: { authorization_endpoint: url } });
  const { tokens, opened, whenOpened } = startHost({ person: "nobody" });
  const signIn = tokens.signIn(server.mcpUrl, { signal: AbortSignal.timeout(5000) }).then(
    () => expect.fail("signed in"),
    (error: { code: string }) => expect(error.code).toMatch(REFUSALS),
  );
  await Promise.race([signIn, whenOpened()]);
  signIn.catch(() => undefined);
  expect(server.log.count("POST", "/token")).toBe(0);
  return opened.map(String);
}

/** What a server's page to type a code into makes a host show. */
async function shownByDevice(url: string): Promise<string[]> {
  const server = await startScripted({
    metadata: (usual) => ({
      ...usual,
      device_authorization_endpoint: `${usual.issuer}/d`,
      grant_types_supported: [DEVICE_GRANT],
    }),
    routes: {
      "POST /d": (_request, { json }) =>
        json({ device_code: "d", user_code: "u", verification_uri: url, expires_in: 60 }),
    },
  });
  const shown: string[] = [];
  const { tokens } = startHost({
    devicePrompt: ({ verificationUri }) => {
      shown.push(verificationUri);
      throw new Error("seen");
    },
  });
  const outcome = await tokens.signIn(server.mcpUrl, { flow: "device" }).catch((error: unknown) => error);
  if (shown.length === 0) expect((outcome as { code: string }).code).toMatch(REFUSALS);
  expect(server.log.count("POST", "/token")).toBe(0);
  return shown;
}

/** What a terminal shows; the URL stands on a line of its own. */
async function shownByTerminal(url: string): Promise<string[]> {
  const output = new PassThrough();
  const { signal } = new AbortController();
  const prompt = { authorizationUrl: url, server: "mcp.example.com", authorizationServer: "as.example.com", signal };
  try {
    await terminalPrompt({ output, interactive: false })(prompt);
  } catch (error) {
    expect((error as { code?: string }).code).toMatch(REFUSALS);
  }
  return String(output.read() ?? "")
    .split("\n")
    .filter((line) => line.includes(":/"));
}

async function expectRefused(url: string): Promise<void> {
  expect((await failureOf(() => assertOpenableUrl(url))).code).toBe("insecure_url");
  if (URL.canParse(url)) await expect(openInBrowser(new URL(url))).rejects.toMatchObject({ code: "insecure_url" });
  expect(await shownByTerminal(url)).toEqual([]);
}

async function run({ url, opens }: UrlCase): Promise<void> {
  if (opens === undefined) {
    await expectRefused(url);
    expect(await openedBySignIn(url)).toEqual([]);
    expect(await shownByDevice(url)).toEqual([]);
    return;
  }
  expect(assertOpenableUrl(url).href).toBe(opens);
  expect(await shownByTerminal(url)).toEqual([opens]);
  expect(await shownByDevice(url)).toEqual([opens]);
  const [opened] = await openedBySignIn(url);
  expect(opened).toMatch(PLAIN);
  expect(opened?.startsWith(`${opens}?`)).toBe(true);
}

async function runHidden({ url }: UrlCase): Promise<void> {
  expect((await failureOf(() => assertOpenableUrl(url))).code).toBe("insecure_url");
  expect(await shownByTerminal(url)).toEqual([]);
  expect(await shownByDevice(url)).toEqual([]);
  // Our own parameters are added to it, and so it comes out of a parser.
  for (const opened of await openedBySignIn(url)) expect(opened).toMatch(PLAIN);
}

describe("an address that a server wants opened", () => {
  hostile(urlCases, run);
  hostile(hiddenUrls, runHidden);
});
