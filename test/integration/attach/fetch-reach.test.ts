// Where `tokens.fetch` puts a token, and where not.
import { describe, expect, it } from "vitest";
import type { LoggedRequest } from "../../servers/request-log.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { closing, failure, startHost } from "./support/host.ts";
import { echo, echoed, signedIn, startResource } from "./support/resource.ts";

const secrets = { cookie: "session=1", "mcp-session-id": "7", "proxy-authorization": "Basic eDp5" };

function secretsOf({ headers }: LoggedRequest): string[] {
  return ["authorization", ...Object.keys(secrets)].filter((name) => headers[name] !== undefined);
}

describe("tokens.fetch puts the token on requests", () => {
  it.each(["/mcp", "/mcp/", "/mcp?cursor=2", "/mcp/below", "/other/../mcp"])("to %s [TOK-1]", async (path) => {
    const resource = await startResource({ "/mcp/": echo });
    const { tokens } = startHost();
    const token = await signedIn(tokens, resource);
    const response = await tokens.fetch(resource.mcpUrl)(resource.url + path);
    expect((await echoed(response)).headers.authorization).toBe(token);
  });

  it("in place of the host's own Authorization header, and beside its other headers", async () => {
    const resource = await startResource();
    const { tokens } = startHost();
    const token = await signedIn(tokens, resource);
    const headers = { Authorization: "Bearer of-the-host", "x-trace": "1" };
    const { headers: sent } = await echoed(await tokens.fetch(resource.mcpUrl)(resource.mcpUrl, { headers }));
    expect(sent).toMatchObject({ authorization: token, "x-trace": "1" });
    expect(resource.asked()).toHaveLength(1);
  });
});

describe("tokens.fetch puts nothing of its own on requests", () => {
  it.each(["/mcp-other", "/mc", "/", "/mcp%2Fbelow", "/mcp/../admin", "/mcp/%2e%2e/admin"])(
    "to %s of the same server [TOK-6]",
    async (path) => {
      const resource = await startResource({ "*": echo });
      const { tokens } = startHost();
      await signedIn(tokens, resource);
      const sent = await echoed(
        await tokens.fetch(resource.mcpUrl)(resource.url + path, { headers: { "x-trace": "1" } }),
      );
      const plain = await echoed(await fetch(resource.url + path, { headers: { "x-trace": "1" } }));
      expect(sent).toEqual(plain);
      expect(sent.headers).not.toHaveProperty("authorization");
    },
  );

  it("to another port or another host name of the same machine [TOK-3, TOK-6]", async () => {
    const resource = await startResource();
    const other = closing(await startScriptedServer({ "*": echo }));
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    const fetch = tokens.fetch(resource.mcpUrl);
    expect((await echoed(await fetch(`${other.url}/mcp`))).headers).not.toHaveProperty("authorization");
    const renamed = resource.url.replace("127.0.0.1", "localhost");
    expect((await fetch(`${renamed}/mcp`)).status).toBe(401);
    expect(resource.asked().at(-1)?.headers).not.toHaveProperty("authorization");
    // Their 401s are theirs: nothing was discovered, refreshed or asked of anybody.
    expect(resource.log.requests).toHaveLength(1);
  });

  it("to servers of the same authorization server that another token is for [TOK-3, RES-8]", async () => {
    const resource = await startResource();
    const second = await startResource({}, { protectedResource: { authorization_servers: [resource.url] } });
    const { tokens } = startHost();
    const first = await signedIn(tokens, resource);
    await tokens
      .fetch(second.mcpUrl)(second.mcpUrl)
      .catch(() => undefined);
    const sent = second.asked().map(({ headers }) => headers.authorization);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent).not.toContain(first);
  });
});

const statuses = [301, 302, 303, 307, 308];

describe("a redirect", () => {
  it.each(statuses)(
    "by %i to another origin is followed without the token or anything else that tells who asks [TOK-6]",
    async (status) => {
      const elsewhere = closing(await startScriptedServer({ "*": echo }));
      const resource = await startResource({
        "/mcp": (_request, { redirect }) => redirect(`${elsewhere.url}/mcp`, status),
      });
      const { tokens } = startHost();
      const token = await signedIn(tokens, resource);
      const init = {
        method: "POST",
        headers: { ...secrets, "content-type": "text/plain", "x-trace": "1" },
        body: "hello",
      };
      const response = await tokens.fetch(resource.mcpUrl)(resource.mcpUrl, init);
      expect(resource.asked()[0]?.headers.authorization).toBe(token);
      const [arrived] = elsewhere.log.requests;
      expect(arrived && secretsOf(arrived)).toEqual([]);
      expect(arrived?.headers["x-trace"]).toBe("1");
      // As the Fetch standard has it.
      const keeps = status >= 307;
      expect([arrived?.method, arrived?.body, arrived?.headers["content-type"]]).toEqual(
        keeps ? ["POST", "hello", "text/plain"] : ["GET", "", undefined],
      );
      expect([response.status, response.redirected, response.url]).toEqual([200, true, `${elsewhere.url}/mcp`]);
    },
  );

  it.each(statuses)(
    "by %i that the server itself gives within its origin is followed with the token",
    async (status) => {
      const resource = await startResource({
        "/mcp": (_request, { redirect }) => redirect("/moved?to=2", status),
        "/moved": echo,
      });
      const { tokens } = startHost();
      const token = await signedIn(tokens, resource);
      const fetch = tokens.fetch(resource.mcpUrl);
      const { headers, url } = await echoed(await fetch(resource.mcpUrl, { method: "POST", body: "hello" }));
      expect([headers.authorization, url]).toEqual([token, `${resource.url}/moved?to=2`]);
      // From now on the new place is one of the server's, for a transport that follows redirects by itself.
      expect((await echoed(await fetch(`${resource.url}/moved`))).headers.authorization).toBe(token);
      const other = closing(await startScriptedServer({ "*": echo }));
      expect((await echoed(await fetch(`${other.url}/moved`))).headers).not.toHaveProperty("authorization");
    },
  );

  it("away and back again does not bring the token back [TOK-6]", async () => {
    const elsewhere = closing(await startScriptedServer());
    const resource = await startResource({
      "GET /mcp": (_request, { redirect }) => redirect(`${elsewhere.url}/bounce`),
      "GET /mcp/below": echo,
    });
    elsewhere.routes["/bounce"] = (_request, { redirect }) => redirect(`${resource.url}/mcp/below?delete=all`);
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    const { headers } = await echoed(await tokens.fetch(resource.mcpUrl)(resource.mcpUrl));
    expect(headers).not.toHaveProperty("authorization");
  });

  it("to a place that answers 401 is not taken for a refusal by the server", async () => {
    const elsewhere = closing(await startScriptedServer({ "*": (_request, { text }) => text("log in", 401) }));
    const resource = await startResource({ "/mcp": (_request, { redirect }) => redirect(elsewhere.url) });
    const { tokens, opened } = startHost();
    await signedIn(tokens, resource);
    const response = await tokens.fetch(resource.mcpUrl)(resource.mcpUrl);
    expect([response.status, await response.text()]).toEqual([401, "log in"]);
    expect(resource.log.requests).toHaveLength(1);
    expect(opened).toHaveLength(1);
  });

  it("to plain http beyond this machine is not followed [TOK-7]", async () => {
    const resource = await startResource({
      "/mcp": (_request, { redirect }) => redirect("http://mcp.example/mcp", 307),
    });
    const sentTo: string[] = [];
    const spying: typeof fetch = (input, init) => {
      sentTo.push(new URL(String(input)).host);
      return fetch(input, init);
    };
    const { tokens } = startHost({ fetch: spying });
    await signedIn(tokens, resource);
    const call = tokens.fetch(resource.mcpUrl)(resource.mcpUrl, { method: "POST", body: "private" });
    await failure(call, "insecure_url");
    expect(sentTo).not.toContain("mcp.example");
  });

  it("is handed back, refused or followed, as the redirect mode says", async () => {
    const resource = await startResource({ "/mcp": (_request, { redirect }) => redirect("/moved"), "/moved": echo });
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    const fetch = tokens.fetch(resource.mcpUrl);
    const manual = await fetch(resource.mcpUrl, { redirect: "manual" });
    expect([manual.status, manual.headers.get("location"), manual.redirected]).toEqual([302, "/moved", false]);
    await expect(fetch(resource.mcpUrl, { redirect: "error" })).rejects.toThrow(TypeError);
    expect((await fetch(resource.mcpUrl, { redirect: "follow" })).status).toBe(200);
    expect((await fetch(resource.mcpUrl)).redirected).toBe(true);
  });

  it("that never ends is given up", async () => {
    const resource = await startResource({ "/mcp": (_request, { redirect }) => redirect("/mcp") });
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    await expect(tokens.fetch(resource.mcpUrl)(resource.mcpUrl)).rejects.toThrow(TypeError);
    expect(resource.asked()).toHaveLength(21);
  });
});

it("there is no fetch, provider or token for a server at plain http [TOK-7, TLS-2]", async () => {
  const { tokens } = startHost();
  for (const url of ["http://mcp.example/mcp", "http://127.0.0.1.example/mcp", "http://localhost.example/mcp"]) {
    const insecure = expect.objectContaining({ code: "insecure_url" });
    expect(() => tokens.fetch(url)).toThrow(insecure);
    expect(() => tokens.authProvider(url)).toThrow(insecure);
    expect(() => tokens.bearerProvider(url)).toThrow(insecure);
    await expect(tokens.get(url)).rejects.toThrow(insecure);
  }
});
