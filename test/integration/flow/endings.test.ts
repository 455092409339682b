// How a sign-in ends without tokens: nobody comes back, the caller gives up, the port or the browser cannot be had.
import { findMcpOAuthError, memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { listen } from "../../servers/request-log.ts";
import type { ScriptedAuthorizationServerOptions } from "../../servers/scripted-authorization-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { callbackOf, closing, failure, startHost, startScripted } from "./support/harness.ts";

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = await listen(() => undefined);
  await server.close();
  return server.port;
}

/** Whether somebody else can have the port, now. */
async function isFree(port: number): Promise<boolean> {
  return listen(() => undefined, { port }).then(
    (server) => server.close().then(() => true),
    () => false,
  );
}

it("gives up when nobody comes back in time, and frees the port [ERR-3] [NAT-4]", async () => {
  const clock = new ManualClock();
  const port = await freePort();
  const server = await startScripted();
  const host = startHost({ clock, person: "nobody", redirect: { port }, signInTimeoutMs: 60_000 });
  const signIn = host.tokens.signIn(server.mcpUrl);
  const url = await host.whenOpened();
  clock.advance(59_999);
  expect(await isFree(port)).toBe(false);
  clock.advance(1);
  const error = await failure(signIn, "timeout", server.mcpUrl);
  expect(error.message).toContain("60 s");
  expect(await isFree(port)).toBe(true);
  await expect(fetch(callbackOf(url, { code: "late", state: url.searchParams.get("state") ?? "" }))).rejects.toThrow();
  expect(server.log.count("POST", "/token")).toBe(0);
});

it("gives a closed browser five minutes by default, and the next try works", async () => {
  const clock = new ManualClock();
  const server = await startScripted();
  let person: UserAgent | undefined;
  const { tokens } = startHost({
    clock,
    openBrowser: (url) => void (person ? person.open(url) : clock.advance(300_000)),
  });
  await failure(tokens.get(server.mcpUrl), "timeout", server.mcpUrl);
  person = new UserAgent();
  await tokens.get(server.mcpUrl);
  expect(server.log.count("POST", "/register")).toBe(1);
});

it("holds a sign-in to its deadline before the browser is reached, too [ERR-3]", async () => {
  const clock = new ManualClock();
  const server = await startScripted({
    register: (request, _usual, { hang }) => {
      setImmediate(() => clock.advance(10_000));
      return hang(request);
    },
  });
  const host = startHost({ clock, signInTimeoutMs: 10_000 });
  await failure(host.tokens.signIn(server.mcpUrl), "timeout", server.mcpUrl);
  expect(host.opened).toHaveLength(0);
});

it("says that the port is in use, before anything is registered or opened [NAT-3]", async () => {
  const { port } = closing(await listen((_request, response) => response.end()));
  const server = await startScripted();
  const host = startHost({ redirect: { port } });
  const error = await failure(host.tokens.signIn(server.mcpUrl), "redirect_unavailable");
  expect(error.server).toBe(server.mcpUrl.href);
  expect(error.message).toContain(`Port ${port} is in use`);
  expect(error.cause).toMatchObject({ code: "EADDRINUSE" });
  expect(host.opened).toHaveLength(0);
  expect(server.log.count("*", /^\/(register|authorize)/)).toBe(0);
});

it("ends an explicit sign-in that its caller aborts, and has freed the port by then [ERR-3] [NAT-4]", async () => {
  const port = await freePort();
  const server = await startScripted();
  const host = startHost({ person: "nobody", redirect: { port } });
  const abort = new AbortController();
  const signIn = host.tokens.signIn(server.mcpUrl, { signal: abort.signal });
  await host.whenOpened();
  expect(await isFree(port)).toBe(false);
  const reason = new Error("the window was closed");
  abort.abort(reason);
  const error = await failure(signIn, "aborted", server.mcpUrl);
  expect(error.cause).toBe(reason);
  expect(await isFree(port)).toBe(true);
});

it("starts anew right after an aborted sign-in, and does not inherit its end", async () => {
  const server = await startScripted();
  const person = new UserAgent();
  const host = startHost({ person: "nobody" });
  const abort = new AbortController();
  const first = host.tokens.signIn(server.mcpUrl, { signal: abort.signal });
  await host.whenOpened();
  abort.abort();
  const second = host.tokens.signIn(server.mcpUrl);
  await failure(first, "aborted");
  void person.open(await host.whenOpened(2));
  expect((await second).issuer).toBe(server.issuer);
});

it("does nothing at all for a signal that has aborted already", async () => {
  const server = await startScripted();
  const host = startHost();
  await failure(host.tokens.signIn(server.mcpUrl, { signal: AbortSignal.abort() }), "aborted");
  expect(host.opened).toHaveLength(0);
  expect(server.log.count("*", /^\/(register|authorize|token)/)).toBe(0);
});

const hangingAt: Record<string, ScriptedAuthorizationServerOptions> = {
  "the resource metadata": { routes: { "GET /.well-known/oauth-protected-resource/mcp": (r, { hang }) => hang(r) } },
  "the server metadata": { routes: { "GET /.well-known/oauth-authorization-server": (r, { hang }) => hang(r) } },
  "the registration": { register: (request, _usual, { hang }) => hang(request) },
  "the token request": { token: (request, _usual, { hang }) => hang(request) },
};
for (const [name, options] of Object.entries(hangingAt)) {
  it(`can be aborted during ${name} [ERR-3]`, async () => {
    const server = await startScripted();
    const arrived = new Promise<void>((resolve) => {
      const telling = Object.entries(options.routes ?? {}).map(([path, route]) => [
        path,
        (...call: Parameters<typeof route>) => {
          resolve();
          return route(...call);
        },
      ]);
      server.options.routes = Object.fromEntries(telling) as NonNullable<typeof options.routes>;
      for (const step of ["register", "token"] as const) {
        const override = options[step];
        if (override === undefined) continue;
        server.options[step] = (...call) => {
          resolve();
          return override(...call);
        };
      }
    });
    const abort = new AbortController();
    const host = startHost();
    const signIn = host.tokens.signIn(server.mcpUrl, { signal: abort.signal });
    await arrived;
    abort.abort();
    await failure(signIn, "aborted", server.mcpUrl);
    expect(host.opened).toHaveLength(name === "the token request" ? 1 : 0);
  });
}

it("opens no browser after an abort that came while the client was looked after", async () => {
  const server = await startScripted();
  const store = memoryStore();
  await startHost({ store }).tokens.signIn(server.mcpUrl);
  const abort = new AbortController();
  const asked = new Promise<void>((resolve) => {
    server.options.authorize = (request, _usual, { hang }) => {
      resolve();
      return hang(request);
    };
  });
  const host = startHost({ store });
  const signIn = host.tokens.signIn(server.mcpUrl, { signal: abort.signal });
  await asked;
  abort.abort();
  await failure(signIn, "aborted", server.mcpUrl);
  expect(host.opened).toHaveLength(0);
});

it("says that no browser could be opened, and why", async () => {
  const server = await startScripted();
  const cause = new Error("no display");
  const { tokens } = startHost({ openBrowser: () => Promise.reject(cause) });
  const error = await failure(tokens.signIn(server.mcpUrl), "browser_unavailable", server.mcpUrl);
  expect(error.cause).toBe(cause);
  expect(error.message).toContain("prompt");
});

it("takes a browser that throws at once for one that cannot be opened", async () => {
  const server = await startScripted();
  const { tokens } = startHost({
    openBrowser: () => {
      throw new Error("no");
    },
  });
  await failure(tokens.signIn(server.mcpUrl), "browser_unavailable", server.mcpUrl);
});

it("does not mind what a browser returns after it was opened, nor when it fails after the person came back", async () => {
  const server = await startScripted();
  const { tokens } = startHost({
    openBrowser: async (url) => {
      await new UserAgent().open(url);
      throw new Error("the browser was closed");
    },
  });
  expect((await tokens.signIn(server.mcpUrl)).issuer).toBe(server.issuer);
});

it("ends sign-ins under way when the manager is closed, and refuses to start others", async () => {
  const port = await freePort();
  const server = await startScripted();
  const host = startHost({ person: "nobody", redirect: { port } });
  const signIn = failure(host.tokens.signIn(server.mcpUrl), "closed");
  await host.whenOpened();
  await host.tokens.close();
  await signIn;
  await expect.poll(() => isFree(port), { interval: 2, timeout: 10_000 }).toBe(true);
  await failure(host.tokens.get(server.mcpUrl), "closed");
});

it("asks nobody for what was handed out before the manager was closed, and says so", async () => {
  const server = await startScripted();
  const host = startHost();
  const fetch = host.tokens.fetch(server.mcpUrl);
  const provider = host.tokens.authProvider(server.mcpUrl);
  await host.tokens.close();
  const error = await failure(fetch(server.mcpUrl), "closed", server.mcpUrl);
  expect(error.message).toContain("has been closed. Make a new one.");
  await failure(provider.tokens(), "closed", server.mcpUrl);
  // Whatever else would be found out on the way.
  server.options.protectedResource = { resource: "https://elsewhere.example/mcp" };
  await failure(provider.prepareTokenRequest(), "closed", server.mcpUrl);
  expect(host.opened).toEqual([]);
  expect(server.log.count("*", /^\/(register|authorize|token)/)).toBe(0);
});

it("asks nobody for a request that was on its way to a sign-in when the manager was closed", async () => {
  const server = await startScripted();
  const host = startHost();
  host.tokens.on("authorization_server_selected", () => void host.tokens.close());
  await failure(host.tokens.fetch(server.mcpUrl)(server.mcpUrl), "closed", server.mcpUrl);
  expect(host.opened).toEqual([]);
  expect(server.log.count("POST", "/register")).toBe(0);
});

it("goes on to use the tokens in memory after the manager was closed, so that a host can end its sessions", async () => {
  const server = await startScripted();
  const host = startHost();
  const fetch = host.tokens.fetch(server.mcpUrl);
  await fetch(server.mcpUrl);
  await host.tokens.close();
  expect((await fetch(server.mcpUrl, { method: "DELETE" })).status).not.toBe(401);
  server.accessTokens.clear();
  await failure(fetch(server.mcpUrl), "closed", server.mcpUrl);
  expect(host.opened).toHaveLength(1);
});

it("answers a browser that comes while the sign-in fails with a page, never with a cut connection", async () => {
  const server = await startScripted({ token: (_r, _u, { json }) => json({ error: "server_error" }, 500) });
  const host = startHost();
  const error: unknown = await host.tokens.signIn(server.mcpUrl).catch((reason: unknown) => reason);
  expect(findMcpOAuthError(error)?.code).toBe("token_request_failed");
  const page = await host.pages[0];
  expect(page?.status).toBe(400);
  expect(page?.body).toContain("Test Host");
});
