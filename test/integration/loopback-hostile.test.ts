import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { PendingRedirect, RedirectArrival } from "../../src/ports/redirect-receiver.ts";
import {
  formPost,
  never,
  type RawAnswer,
  rawConnection,
  readToEnd,
  redirects,
  request,
  SIGNED_IN,
  sendRaw,
} from "../unit/adapters/loopback-client.ts";

const { open, closeAll } = redirects();
const STATE = "the-right-state";
const FORM = "application/x-www-form-urlencoded";
const FUZZ_RUNS = Number(process.env.FUZZ_RUNS ?? 150);

afterEach(closeAll);

/** Proves that a sign-in is still waiting, and gets its response as if nothing had been. */
async function expectStillPending(pending: PendingRedirect, arrival: Promise<RedirectArrival>): Promise<void> {
  const answer = request(`${pending.redirectUri}?state=${STATE}&code=right`);
  const { parameters, respond } = await arrival;
  expect(parameters.get("code")).toBe("right");
  await respond(SIGNED_IN);
  expect((await answer).status).toBe(200);
}

const hostile: readonly (readonly [string, number, (uri: string) => Promise<RawAnswer>])[] = [
  ["no state", 400, (uri) => request(`${uri}?code=1`)],
  ["no query", 400, (uri) => request(uri)],
  ["another state", 400, (uri) => request(`${uri}?state=other&code=1`)],
  ["the right state with other case", 400, (uri) => request(`${uri}?state=${STATE.toUpperCase()}`)],
  ["a beginning of the state", 400, (uri) => request(`${uri}?state=${STATE.slice(0, -1)}`)],
  ["more than the state", 400, (uri) => request(`${uri}?state=${STATE}x`)],
  ["an empty state", 400, (uri) => request(`${uri}?state=`)],
  ["the state in another parameter", 400, (uri) => request(`${uri}?State=${STATE}`)],
  ["another path", 404, (uri) => request(uri, { target: `/?state=${STATE}` })],
  ["a longer path", 404, (uri) => request(uri, { target: `/callback/?state=${STATE}` })],
  ["a path below", 404, (uri) => request(uri, { target: `/callback/x?state=${STATE}` })],
  ["a path with other case", 404, (uri) => request(uri, { target: `/Callback?state=${STATE}` })],
  ["an encoded path", 404, (uri) => request(uri, { target: `/c%61llback?state=${STATE}` })],
  ["dot segments", 404, (uri) => request(uri, { target: `/x/../callback?state=${STATE}` })],
  ["a double slash", 404, (uri) => request(uri, { target: `//callback?state=${STATE}` })],
  ["the absolute form", 404, (uri) => request(uri, { target: `${uri}?state=${STATE}` })],
  ["a fragment", 404, (uri) => request(uri, { target: `/callback#?state=${STATE}` })],
  ["favicon", 404, (uri) => request(uri, { target: "/favicon.ico" })],
  ["HEAD", 405, (uri) => request(`${uri}?state=${STATE}`, { method: "HEAD" })],
  ["OPTIONS", 405, (uri) => request(`${uri}?state=${STATE}`, { method: "OPTIONS" })],
  ["PUT", 405, (uri) => request(`${uri}?state=${STATE}`, { method: "PUT", body: "x" })],
  ["DELETE", 405, (uri) => request(`${uri}?state=${STATE}`, { method: "DELETE" })],
  ["TRACE", 405, (uri) => request(`${uri}?state=${STATE}`, { method: "TRACE" })],
  ["OPTIONS *", 404, (uri) => request(uri, { method: "OPTIONS", target: "*" })],
  ["CONNECT", 0, (uri) => request(uri, { method: "CONNECT", target: "evil.example:443" })],
  ["a prefetch", 503, (uri) => request(`${uri}?state=${STATE}`, { headers: { "Sec-Purpose": "prefetch;prerender" } })],
  ["an old prefetch", 503, (uri) => request(`${uri}?state=${STATE}`, { headers: { Purpose: "prefetch" } })],
  [
    "DNS rebinding",
    403,
    (uri) => request(`${uri}?state=${STATE}`, { headers: { Host: `evil.example:${new URL(uri).port}` } }),
  ],
  [
    "localhost for 127.0.0.1",
    403,
    (uri) => request(`${uri}?state=${STATE}`, { headers: { Host: `localhost:${new URL(uri).port}` } }),
  ],
  ["a host without port", 403, (uri) => request(`${uri}?state=${STATE}`, { headers: { Host: "127.0.0.1" } })],
  ["an empty host", 403, (uri) => request(`${uri}?state=${STATE}`, { headers: { Host: "" } })],
  ["user information in the host", 403, (uri) => request(uri, { headers: { Host: `a@${new URL(uri).host}` } })],
  [
    "two hosts",
    403,
    (uri) => sendRaw(uri, `GET /callback?state=${STATE} HTTP/1.1\r\nHost: ${new URL(uri).host}\r\nHost: evil\r\n\r\n`),
  ],
  ["no host", 400, (uri) => sendRaw(uri, `GET /callback?state=${STATE} HTTP/1.1\r\n\r\n`)],
  ["no host in HTTP/1.0", 403, (uri) => sendRaw(uri, `GET /callback?state=${STATE} HTTP/1.0\r\n\r\n`)],
  ["HTTP/0.9", 403, (uri) => sendRaw(uri, `GET /callback?state=${STATE}\r\n\r\n`)],
  ["TLS", 400, (uri) => sendRaw(uri, Buffer.from("16030100a5010000a10303", "hex"))],
  ["an HTTP/2 preface", 400, (uri) => sendRaw(uri, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
  ["JSON", 415, (uri) => formPost(uri, `{"state":"${STATE}"}`, { "Content-Type": "application/json" })],
  ["multipart", 415, (uri) => formPost(uri, `state=${STATE}`, { "Content-Type": "multipart/form-data; boundary=x" })],
  ["plain text", 415, (uri) => formPost(uri, `state=${STATE}`, { "Content-Type": "text/plain" })],
  [
    "a type that only starts like a form",
    415,
    (uri) => formPost(uri, `state=${STATE}`, { "Content-Type": `${FORM}x` }),
  ],
  ["no type", 415, (uri) => request(uri, { method: "POST", body: `state=${STATE}` })],
  ["a compressed form", 415, (uri) => formPost(uri, `state=${STATE}`, { "Content-Encoding": "gzip" })],
  ["a large form", 413, (uri) => formPost(uri, `state=${STATE}&code=${"a".repeat(64 * 1024)}`)],
  [
    "a large form in chunks",
    413,
    (uri) =>
      sendRaw(
        uri,
        `POST /callback HTTP/1.1\r\nHost: ${new URL(uri).host}\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n\r\n` +
          `11000\r\nstate=${STATE}&${"a".repeat(0x11000 - 7 - STATE.length)}\r\n0\r\n\r\n`,
      ),
  ],
  [
    "a form that claims to be large",
    413,
    (uri) => formPost(uri, `state=${STATE}`, { "Content-Length": "9007199254740991" }),
  ],
  [
    "both lengths (request smuggling)",
    400,
    (uri) => formPost(uri, `state=${STATE}`, { "Transfer-Encoding": "chunked", "Content-Length": "3" }),
  ],
  ["the state of a POST in its query", 400, (uri) => formPost(`${uri}?state=${STATE}`, "code=1")],
  ["a long query", 414, (uri) => request(`${uri}?state=${STATE}&code=${"a".repeat(16 * 1024)}`)],
  ["a long header", 400, (uri) => request(`${uri}?state=${STATE}`, { headers: { "X-A": "a".repeat(64 * 1024) } })],
  ["a NUL", 400, (uri) => request(uri, { target: `/callback?state=${STATE}\0` })],
  ["a broken header", 400, (uri) => request(`${uri}?state=${STATE}`, { headers: { "a b": "c" } })],
  [
    "an upgrade",
    404,
    (uri) => request(uri, { target: "/x", headers: { Upgrade: "websocket", Connection: "Upgrade" } }),
  ],
  ["9,000 parameters", 400, (uri) => formPost(uri, "state=x&".repeat(7900))],
  ["a state like a prototype's property", 400, (uri) => request(`${uri}?state=__proto__`)],
];

describe("requests that are not the response leave the sign-in waiting [NAT-5, RUR-3]", () => {
  it.each(hostile)("%s: %i", async (_what, status, send) => {
    const pending = await open();
    const arrival = pending.arrival(STATE, never());
    expect((await send(pending.redirectUri)).status).toBe(status);
    await expectStillPending(pending, arrival);
  });

  it("reflects nothing of what was sent", async () => {
    const pending = await open();
    const arrival = pending.arrival(STATE, never());
    const attack = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`;
    const query = ["code", "error", "error_description", "error_uri", "iss", "next", "redirect_uri", "state"]
      .map((name) => `${name}=${encodeURIComponent(attack)}`)
      .join("&");
    const answers = [
      await request(`${pending.redirectUri}?${query}`),
      await request(`${pending.redirectUri}?${query}`, { target: `/${encodeURIComponent(attack)}` }),
      await request(pending.redirectUri, { headers: { Host: "evil<script>" } }),
      await formPost(pending.redirectUri, query),
    ];
    const held = request(`${pending.redirectUri}?state=${STATE}&${query}`);
    await (await arrival).respond({ outcome: "failed", clientName: attack, serverName: "https://\u202eevil\u0007" });
    for (const { head, body } of [...answers, await held]) {
      expect(body).not.toMatch(/<img|alert\(1\)<\/script|\u202e|\u0007/);
      expect(body.match(/<script/g)?.length ?? 0).toBeLessThanOrEqual(1);
      expect(head).not.toMatch(/alert|^location:|^set-cookie:|^access-control-/im);
      expect(head).toMatch(/^content-security-policy: /im);
    }
  });

  it("stays quick and pending under 1,000 stray requests, 50 at a time", async () => {
    const pending = await open();
    const arrival = pending.arrival(STATE, never());
    const strays = [
      "/",
      "/favicon.ico",
      "/callback",
      "/callback?state=x&code=y",
      "/callback?error=access_denied",
      "/%ff",
    ];
    const started = performance.now();
    let sent = 0;
    const sender = async (): Promise<void> => {
      while (sent < 1000) {
        const target = strays[sent % strays.length] as string;
        sent += 1;
        await request(pending.redirectUri, { target });
      }
    };
    await Promise.all(Array.from({ length: 50 }, sender));
    const perRequestMs = (performance.now() - started) / 1000;
    expect(perRequestMs).toBeLessThan(10);
    const before = performance.now();
    await expectStillPending(pending, arrival);
    expect(performance.now() - before).toBeLessThan(500);
  });

  it("lets the browser in while somebody holds 400 silent connections", async () => {
    const pending = await open();
    const arrival = pending.arrival(STATE, never());
    const silent = await Promise.all(Array.from({ length: 400 }, () => rawConnection(pending.redirectUri)));
    for (const [index, socket] of silent.entries()) {
      socket.on("error", () => undefined);
      if (index % 2 === 0) socket.write("GET /callback?state=");
    }
    await expectStillPending(pending, arrival);
    const started = performance.now();
    await pending.close();
    expect(performance.now() - started).toBeLessThan(500);
  });

  it("keeps a browser that waits for the outcome while connections flood in", async () => {
    const pending = await open();
    const arrival = pending.arrival(STATE, never());
    const answer = request(`${pending.redirectUri}?state=${STATE}`);
    const { respond } = await arrival;
    const flood = await Promise.all(Array.from({ length: 400 }, () => rawConnection(pending.redirectUri)));
    for (const socket of flood) socket.on("error", () => undefined);
    // Connections are accepted in their order: when this one is answered, the flood has been let in.
    expect((await request(pending.redirectUri)).status).toBe(400);
    await respond(SIGNED_IN);
    expect((await answer).status).toBe(200);
  });

  it("cuts off slow senders of a head or a body", async () => {
    const pending = await open();
    const arrival = pending.arrival(STATE, never());
    const slowHead = await rawConnection(pending.redirectUri);
    const slowBody = await rawConnection(pending.redirectUri);
    const answers = [readToEnd(slowHead), readToEnd(slowBody)];
    const host = new URL(pending.redirectUri).host;
    slowHead.write(`GET /callback?state=${STATE} HTTP/1.1\r\n`);
    slowBody.write(
      `POST /callback HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${FORM}\r\nContent-Length: 60000\r\n\r\n`,
    );
    const drip = setInterval(() => {
      slowHead.write("a: b\r\n", () => undefined);
      slowBody.write("a", () => undefined);
    }, 250);
    const started = performance.now();
    await answers[0];
    expect(performance.now() - started).toBeLessThan(7500);
    await answers[1];
    expect(performance.now() - started).toBeLessThan(12_500);
    clearInterval(drip);
    await expectStillPending(pending, arrival);
  }, 20_000);
});

describe("the parser under random bytes", () => {
  /** Fragments of HTTP in any order find more than random bytes alone. */
  const fragment = fc.oneof(
    fc.constantFrom(
      "GET ",
      "POST ",
      "HEAD ",
      "/callback",
      "?",
      "state=",
      STATE.slice(1),
      "&",
      " HTTP/1.1",
      " HTTP/1.0",
      "\r\n",
    ),
    fc.constantFrom(
      "\r\n\r\n",
      "\n",
      "\0",
      "Host: ",
      "Content-Length: ",
      "Transfer-Encoding: chunked",
      FORM,
      "%",
      "0",
      "5",
    ),
    fc.string({ maxLength: 20 }),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
    fc.array(fragment, { maxLength: 25 }).map((fragments) => Buffer.from(fragments.join(""))),
  );
  const wellFramed = fc.record({
    method: fc.constantFrom("GET", "POST", "PUT", "get", "QUERY"),
    target: fc.array(fragment, { maxLength: 8 }).map((parts) => `/callback?${parts.join("").replace(/[\s\0]/g, "")}`),
    body: fc.string({ maxLength: 200 }),
  });

  it("neither crashes, hangs nor ends the sign-in", async () => {
    const pending = await open();
    const arrival = pending.arrival(STATE, never());
    await fc.assert(
      fc.asyncProperty(bytes, async (garbage) => {
        const socket = await rawConnection(pending.redirectUri);
        const answer = readToEnd(socket);
        socket.end(garbage);
        expect(await answer).toMatch(/^(?:|HTTP\/1\.1 [45]\d\d )/);
      }),
      { numRuns: FUZZ_RUNS, seed: 7 },
    );
    await fc.assert(
      fc.asyncProperty(wellFramed, async ({ method, target, body }) => {
        const headers = { "Content-Type": FORM };
        const answer = await request(pending.redirectUri, { method, target, body, headers }).catch(() => undefined);
        if (answer !== undefined) expect([0, 400, 404, 405, 413, 414, 415]).toContain(answer.status);
      }),
      { numRuns: FUZZ_RUNS, seed: 7 },
    );
    await expectStillPending(pending, arrival);
  }, 60_000);

  it("gives the sign-in exactly the parameters that were sent", async () => {
    const pending = await open();
    const pairs = fc.array(fc.tuple(fc.string(), fc.string({ unit: "grapheme" })), { maxLength: 8 });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(pairs, fc.boolean(), async (extra, isPost) => {
        round += 1;
        const sent = new URLSearchParams([["state", `s${round}`], ...extra]);
        const arrival = pending.arrival(`s${round}`, never());
        const answer = isPost
          ? formPost(pending.redirectUri, sent.toString())
          : request(`${pending.redirectUri}?${sent.toString()}`);
        const { parameters, respond } = await arrival;
        await respond(SIGNED_IN);
        expect([...parameters]).toEqual([...new URLSearchParams(sent.toString())]);
        expect((await answer).status).toBe(200);
      }),
      { numRuns: FUZZ_RUNS, seed: 7 },
    );
  }, 60_000);
});
