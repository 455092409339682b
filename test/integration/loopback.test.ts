import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { McpOAuthError } from "../../src/core/errors.ts";
import { formPost, never, redirects, request, SIGNED_IN, sendRaw } from "../unit/adapters/loopback-client.ts";

const { open, closeAll } = redirects();
const others: Server[] = [];

afterEach(async () => {
  await closeAll();
  await Promise.all(others.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** Another program that has a port. */
async function occupy(host: string, port = 0): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  others.push(server);
  return (server.address() as AddressInfo).port;
}

/** A port that is free on both loopback addresses. */
async function freePort(): Promise<number> {
  const port = await occupy("127.0.0.1");
  await Promise.all(others.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  return port;
}

async function failureOf(promise: Promise<unknown>): Promise<McpOAuthError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(McpOAuthError);
  return error as McpOAuthError;
}

describe("a sign-in's redirect", () => {
  it("brings the response to the sign-in and the outcome to the browser", async () => {
    const pending = await open();
    expect(pending.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    const arrival = pending.arrival("state-1", never());
    const answer = request(`${pending.redirectUri}?state=state-1&code=a%2Bb+c&iss=https%3A%2F%2Fas.example`);
    const { parameters, respond } = await arrival;
    expect([...parameters]).toEqual([
      ["state", "state-1"],
      ["code", "a+b c"],
      ["iss", "https://as.example"],
    ]);
    await respond(SIGNED_IN);
    const { status, head, body } = await answer;
    expect(status).toBe(200);
    expect(body).toContain("You are signed in");
    expect(body).toContain("mcp.example.com");
    expect(body).not.toMatch(/state-1|a\+b|as\.example/);
    expect(head).toMatch(/^connection: close$/im);
    expect(head).toMatch(/^cache-control: no-store$/im);
    expect(head).toMatch(/^referrer-policy: no-referrer$/im);
    expect(head).toMatch(/^x-content-type-options: nosniff$/im);
    expect(head).toMatch(/^x-frame-options: DENY$/im);
    expect(head).toMatch(/^cross-origin-opener-policy: same-origin$/im);
    expect(head).toMatch(/^content-security-policy: default-src 'none'; .*frame-ancestors 'none'$/im);
  });

  it.each([
    ["denied", 200, "Access was not granted"],
    ["failed", 400, "The sign-in did not work"],
  ] as const)("shows the outcome %s", async (outcome, status, text) => {
    const pending = await open();
    const arrival = pending.arrival("s", never());
    const answer = request(`${pending.redirectUri}?state=s&error=access_denied&error_description=%3Cb%3EEvil`);
    await (await arrival).respond({ ...SIGNED_IN, outcome });
    expect(await answer).toMatchObject({ status, body: expect.stringContaining(text) });
    expect((await answer).body).not.toMatch(/Evil|access_denied/);
  });

  it("accepts a form_post (OAuth 2.0 Form Post Response Mode)", async () => {
    const pending = await open();
    const arrival = pending.arrival("s", never());
    const answer = formPost(`${pending.redirectUri}?state=other`, "state=s&code=%C3%BC", {
      "Content-Type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
      Origin: "https://as.example",
    });
    const { parameters, respond } = await arrival;
    expect([...parameters]).toEqual([
      ["state", "s"],
      ["code", "ü"],
    ]);
    await respond(SIGNED_IN);
    expect((await answer).status).toBe(200);
  });

  it("keeps duplicate and malformed parameters for the sign-in to refuse", async () => {
    const pending = await open();
    const arrival = pending.arrival("s", never());
    const answer = request(pending.redirectUri, { target: "/callback?state=s&state=t&iss=a&iss=b&code=%zz%ff&=&&%&a" });
    const { parameters, respond } = await arrival;
    expect(parameters.getAll("state")).toEqual(["s", "t"]);
    expect(parameters.getAll("iss")).toEqual(["a", "b"]);
    await respond(SIGNED_IN);
    expect((await answer).status).toBe(200);
  });

  it("routes parallel sign-ins by state over one listener, whatever the order", async () => {
    const port = await freePort();
    const signIns = await Promise.all(Array.from({ length: 20 }, () => open({ port })));
    expect(new Set(signIns.map((pending) => pending.redirectUri)).size).toBe(1);
    const arrivals = signIns.map((pending, index) => pending.arrival(`state-${index}`, never()));
    const answers = signIns.map((pending, index) =>
      request(`${pending.redirectUri}?state=state-${index}&code=${index}`),
    );
    for (const index of signIns.map((_, position) => position).reverse()) {
      const { parameters, respond } = (await arrivals[index]) as Awaited<(typeof arrivals)[number]>;
      expect(parameters.get("code")).toBe(String(index));
      await respond({ ...SIGNED_IN, serverName: `server-${index}.example` });
      expect((await answers[index])?.body).toContain(`>server-${index}.example<`);
      await signIns[index]?.close();
    }
  });

  it("keeps listening for the others when one sign-in closes, and can open again at once", async () => {
    const port = await freePort();
    const first = await open({ port });
    const second = await open({ port });
    const arrival = second.arrival("two", never());
    await first.close();
    const answer = request(`${second.redirectUri}?state=two`);
    await (await arrival).respond(SIGNED_IN);
    expect((await answer).status).toBe(200);
    for (let round = 0; round < 20; round += 1) {
      const closing = round === 0 ? second.close() : Promise.resolve();
      const next = await open({ port });
      await Promise.all([closing, next.close()]);
    }
    await expect(request(second.redirectUri)).rejects.toThrow(/ECONNREFUSED/);
  });

  it("does not use one state twice", async () => {
    const pending = await open();
    const arrival = pending.arrival("s", never());
    const first = request(`${pending.redirectUri}?state=s&code=1`);
    const { parameters, respond } = await arrival;
    const second = await request(`${pending.redirectUri}?state=s&code=2`);
    expect(second).toMatchObject({ status: 410, body: expect.stringContaining("This link has been used") });
    expect(parameters.get("code")).toBe("1");
    await respond(SIGNED_IN);
    expect((await first).status).toBe(200);
    expect((await failureOf(pending.arrival("s", never()))).code).toBe("invalid_argument");
    expect((await failureOf(pending.arrival("", never()))).code).toBe("invalid_argument");
  });

  it("shows one outcome only", async () => {
    const pending = await open();
    const arrival = pending.arrival("s", never());
    const answer = request(`${pending.redirectUri}?state=s`);
    const { respond } = await arrival;
    await Promise.all([respond(SIGNED_IN), respond({ ...SIGNED_IN, outcome: "failed" })]);
    expect((await answer).body).toContain("You are signed in");
    await respond({ ...SIGNED_IN, outcome: "failed" });
  });
});

describe("ending", () => {
  it("rejects with the signal's reason, and the state leads nowhere then", async () => {
    const pending = await open();
    const controller = new AbortController();
    const arrival = pending.arrival("s", controller.signal);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(arrival).rejects.toBe(reason);
    await expect(pending.arrival("t", controller.signal)).rejects.toBe(reason);
    expect((await request(`${pending.redirectUri}?state=s`)).status).toBe(400);
  });

  it("frees the port on close, ends a waiting arrival, and does nothing the second time", async () => {
    const pending = await open();
    const failure = failureOf(pending.arrival("s", never()));
    await pending.close();
    await pending.close();
    expect((await failure).code).toBe("aborted");
    expect((await failureOf(pending.arrival("t", never()))).code).toBe("aborted");
    await expect(request(pending.redirectUri)).rejects.toThrow(/ECONNREFUSED/);
  });

  it("answers a browser that waits for an outcome when there is none: after a while, or on close", async () => {
    const patient = await open();
    const hasty = await open({ path: "/hasty" }, { answerWithinMs: 30 });
    const arrivals = [patient.arrival("s", never()), hasty.arrival("s", never())];
    const answers = [request(`${patient.redirectUri}?state=s`), request(`${hasty.redirectUri}?state=s`)];
    const [held, late] = await Promise.all(arrivals);
    expect(await answers[1]).toMatchObject({ status: 200, body: expect.stringContaining("Almost there") });
    await patient.close();
    expect(await answers[0]).toMatchObject({ status: 200, body: expect.stringContaining("Almost there") });
    await held?.respond(SIGNED_IN);
    await late?.respond(SIGNED_IN);
  });

  it("does not cut off the page when closed right after it was sent, 200 times", async () => {
    for (let round = 0; round < 200; round += 1) {
      const pending = await open();
      const arrival = pending.arrival("s", never());
      const answer = request(`${pending.redirectUri}?state=s`);
      const { respond } = await arrival;
      void respond(SIGNED_IN);
      await pending.close();
      expect((await answer).body).toMatch(/<\/html>\n$/);
    }
  });

  it("is not held up by a browser that went away, or by connections that say nothing", async () => {
    const pending = await open();
    const { rawConnection } = await import("../unit/adapters/loopback-client.ts");
    const arrival = pending.arrival("s", never());
    const gone = await rawConnection(pending.redirectUri);
    gone.write(`GET /callback?state=s HTTP/1.1\r\nHost: ${new URL(pending.redirectUri).host}\r\n\r\n`);
    const idle = await rawConnection(pending.redirectUri);
    idle.on("error", () => undefined);
    const { respond } = await arrival;
    gone.destroy();
    const started = performance.now();
    await respond(SIGNED_IN);
    await pending.close();
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe("where it listens", () => {
  it("uses ::1 with brackets in the URI", async () => {
    for (const host of ["::1", "[::1]"]) {
      const pending = await open({ host });
      expect(pending.redirectUri).toMatch(/^http:\/\/\[::1\]:\d+\/callback$/);
      const arrival = pending.arrival(host, never());
      const answer = request(`${pending.redirectUri}?state=${encodeURIComponent(host)}`);
      await (await arrival).respond(SIGNED_IN);
      expect((await answer).status).toBe(200);
    }
  });

  it("serves localhost on both 127.0.0.1 and ::1, on one port", async () => {
    const pending = await open({ host: "LOCALHOST", path: "/oauth/cb" });
    expect(pending.redirectUri).toMatch(/^http:\/\/localhost:\d+\/oauth\/cb$/);
    const host = new URL(pending.redirectUri).host;
    for (const address of ["127.0.0.1", "::1"]) {
      const arrival = pending.arrival(address, never());
      const bytes = `GET /oauth/cb?state=${encodeURIComponent(address)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
      const answer = sendRaw(pending.redirectUri, bytes, address);
      await (await arrival).respond(SIGNED_IN);
      expect((await answer).status).toBe(200);
    }
  });

  it("does not share localhost with a program that has the port on ::1", async () => {
    const port = await occupy("::1");
    expect((await failureOf(open({ host: "localhost", port }))).code).toBe("redirect_unavailable");
    // And what it had bound before is free again.
    await occupy("127.0.0.1", port);
  });

  it("says which port is in use and what to do", async () => {
    const port = await occupy("127.0.0.1");
    const error = await failureOf(open({ port }));
    expect(error.code).toBe("redirect_unavailable");
    expect(error.message).toContain(`Port ${port} is in use`);
    expect(error.message).toContain("redirect.port");
    expect(error.cause).toMatchObject({ code: "EADDRINUSE" });
    await Promise.all(others.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
    expect((await open({ port })).redirectUri).toContain(`:${port}/`);
  });

  it("is not reachable by other addresses of this machine", async () => {
    const { networkInterfaces } = await import("node:os");
    const outer = Object.values(networkInterfaces())
      .flat()
      .find((entry) => entry?.internal === false && entry.family === "IPv4");
    const pending = await open({ host: "localhost" });
    if (outer !== undefined)
      await expect(sendRaw(pending.redirectUri, "x", outer.address)).rejects.toThrow(/ECONNREFUSED/);
  });

  it("takes a public URI that differs from where it listens, as it is written", async () => {
    const port = await freePort();
    const uri = "https://Tunnel.example/a/%7Eb?tenant=1";
    const pending = await open({ uri, port, path: "/inner" });
    expect(pending.redirectUri).toBe(uri);
    for (const host of ["tunnel.example", `127.0.0.1:${port}`, `localhost:${port}`]) {
      const arrival = pending.arrival(host, never());
      const answer = request(`http://127.0.0.1:${port}/inner?state=${encodeURIComponent(host)}`, {
        headers: { Host: host },
      });
      await (await arrival).respond(SIGNED_IN);
      expect((await answer).status).toBe(200);
    }
    const rebound = await request(`http://127.0.0.1:${port}/inner`, { headers: { Host: `evil.example:${port}` } });
    expect(rebound.status).toBe(403);
  });

  it("listens on all interfaces only for a public URI (a container with a published port)", async () => {
    const port = await freePort();
    const pending = await open({ uri: `http://localhost:${port}/callback`, host: "0.0.0.0" });
    const arrival = pending.arrival("s", never());
    const answer = request(`http://127.0.0.1:${port}/callback?state=s`, { headers: { Host: `localhost:${port}` } });
    await (await arrival).respond(SIGNED_IN);
    expect((await answer).status).toBe(200);
  });
});
