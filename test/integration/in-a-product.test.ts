// What the guide "In a product" tells hosts to write does what it says there.
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { memoryStore, type TokenManager } from "mcp-oauth-client";
import { expect, it, vi } from "vitest";
import { createRequestLog, listen } from "../servers/request-log.ts";
import { scriptedAuthorizationServer } from "../servers/scripted-authorization-server.ts";
import { UserAgent } from "../servers/user-agent.ts";
import { closing, connected, failure, jsonRpc, newConnection, startHost, startServers } from "./attach/support/host.ts";

const guide = fileURLToPath(new URL("../../src/guide/in-a-product.md", import.meta.url));
const choice = { sdk: "v2", way: "fetch" } as const;

it("signs in with one token manager what another one on the same store sends", async () => {
  const { mcp } = await startServers({ sdk: "v2" });
  const store = memoryStore();
  const { tokens, opened } = startHost({ store, interactive: false });
  const { tokens: person } = startHost({ store });
  const refused = await failure(newConnection(choice, tokens, mcp.url).connect(), "interaction_required");
  expect(refused.message).toContain("Call signIn on one with interactive: true.");
  expect(refused.requiredScope).toContain("mcp:tools");

  await person.signIn(mcp.url);
  const connection = await connected(choice, tokens, mcp.url);
  expect(await connection.call("echo", { text: "hello" })).toBe("hello");
  expect(await tokens.status(mcp.url)).toMatchObject([{ state: "signed_in" }]);
  await connection.close();
  expect(await tokens.signOut(mcp.url)).toMatchObject([{ revocation: "revoked" }]);
  await failure(newConnection(choice, tokens, mcp.url).connect(), "interaction_required");
  expect(opened).toEqual([]);
});

it("needs no browser where an authorization server consents at once", async () => {
  const server = closing(await scriptedAuthorizationServer({ accessTokenSeconds: 3600 }));
  let skippedMs = 0;
  const clock = {
    now: () => Date.now() + skippedMs,
    schedule: (callback: () => void, delayMs: number) => {
      const timer = setTimeout(callback, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
  const { tokens } = startHost({ openBrowser: (url) => fetch(url), clock });
  const authorized = tokens.fetch(server.mcpUrl);
  expect((await authorized(server.mcpUrl, jsonRpc("ping"))).status).toBe(200);
  skippedMs += 3_600_000;
  expect((await authorized(server.mcpUrl, jsonRpc("ping"))).status).toBe(200);
  const grants = server.log.find("POST", "/token").map(({ body }) => new URLSearchParams(body).get("grant_type"));
  expect(grants).toEqual(["authorization_code", "refresh_token"]);
});

interface Application {
  readonly background: TokenManager;
  startSignIn(user: string, server: string): Promise<URL>;
  onCallback(user: string, url: URL, redirectTo: (path: string) => void): void;
}

/** The guide's own code for a server, with the addresses of this test. */
async function guidesApplication(folder: string, origin: string): Promise<Application> {
  const [code = ""] =
    /(?<=^```ts\n)import \{ type RedirectArrival,.*?(?=^```$)/ms.exec(await readFile(guide, "utf8")) ?? [];
  const adapted = code
    .replace("https://acme.example.com/callback", `${origin}/callback`)
    .replace("/var/lib/acme/tokens", join(folder, "tokens"));
  const path = join(folder, "application.ts");
  await writeFile(path, `${adapted}\nexport { background, onCallback, startSignIn };\n`);
  return import(/* @vite-ignore */ pathToFileURL(path).href);
}

it("gives a server's users their own tokens only", async () => {
  vi.stubEnv("ACME_TOKEN_KEY", randomBytes(32).toString("base64"));
  const folder = await mkdtemp(join(tmpdir(), "in-a-product-"));
  let application: Application | undefined;
  const outcomes: string[] = [];
  const web = closing(
    await listen(
      createRequestLog().record((request, response) => {
        const url = new URL(request.url ?? "/", web.url);
        const user = /user=(\w+)/.exec(request.headers.cookie ?? "")?.[1] ?? "nobody";
        const redirectTo = (location: string): void => void response.writeHead(303, { location }).end();
        if (url.pathname === "/callback") application?.onCallback(user, url, redirectTo);
        else if (url.pathname === "/login") response.writeHead(200, { "set-cookie": url.search.slice(1) }).end();
        else {
          outcomes.push(url.search);
          response.end();
        }
      }),
    ),
  );
  application = await guidesApplication(folder, web.url);
  try {
    const { mcp } = await startServers({ sdk: "v2" });
    const [alice, mallory] = [new UserAgent({ login: "alice" }), new UserAgent({ login: "mallory" })];
    await alice.open(`${web.url}/login?user=alice`);
    await mallory.open(`${web.url}/login?user=mallory`);
    const { background, startSignIn } = application;
    const who = async (account: string): Promise<string> => {
      const transportOptions = { fetch: background.fetch(mcp.url, { account }) };
      const connection = await connected({ ...choice, transportOptions }, background, mcp.url);
      return connection.call("whoami");
    };

    // Alice is led to a sign-in that Mallory has started, and nothing comes of it.
    await alice.open(await startSignIn("mallory", mcp.url.href));
    expect(outcomes.splice(0)).toEqual(["?outcome=failed"]);
    await failure(who("mallory"), "interaction_required");

    // A second sign-in takes the place of the first.
    await mallory.open(await startSignIn("mallory", mcp.url.href));
    await alice.open(await startSignIn("alice", mcp.url.href));
    expect(outcomes).toEqual(["?outcome=signed-in", "?outcome=signed-in"]);
    expect([await who("alice"), await who("mallory")]).toEqual([
      expect.stringContaining("alice"),
      expect.stringContaining("mallory"),
    ]);
  } finally {
    await application.background.close();
    await rm(folder, { recursive: true, force: true });
  }
});
