// What passes through the bridge beside calls and answers: questions of the server, progress, cancelling, large messages,
// streams that break. The servers let anybody in, so that nothing but messages is looked at.
import { once } from "node:events";
import { expect, it, vi } from "vitest";
import { type ScriptedRequest, startScriptedServer } from "../../servers/scripted-server.ts";
import { closing } from "../flow/support/harness.ts";
import { type HostKind, type ProxyHost, startProxyHost } from "./support/proxy-host.ts";
import { initialize, messagesOf, startRawHost } from "./support/raw-host.ts";
import { newHome } from "./support/run-cli.ts";
import { startTalkativeServer, startTalkativeServerV2, type TalkativeServer } from "./support/talkative-server.ts";

const PATIENCE = { timeout: 20_000, interval: 10 };
const withSessions: HostKind[] = ["SDK v1", "SDK v2"];

async function connect(kind: HostKind, { url }: TalkativeServer): Promise<ProxyHost> {
  return startProxyHost({ kind, env: (await newHome()).env, args: [url.href] });
}

it.each(withSessions)("hands %s the server's questions, its progress, and nothing twice", async (kind) => {
  const server = await startTalkativeServer();
  const host = await connect(kind, server);
  expect(await host.call("sample")).toBe('{"type":"text","text":"sampled"}');
  expect(await host.call("elicit")).toBe('{"answer":"elicited"}');
  expect(JSON.parse(await host.call("roots"))).toMatchObject({ roots: [{ uri: "file:///root" }] });
  const steps: number[] = [];
  const onprogress = ({ progress }: { progress: number }): void => void steps.push(progress);
  expect(await host.call("steps", {}, { onprogress })).toBe("done");
  expect(steps).toEqual([1, 2, 3]);
});

it("carries messages of a megabyte, in both directions", async () => {
  const host = await connect("SDK v1", await startTalkativeServer());
  const length = 1_000_000;
  expect(await host.call("length", { text: "ü".repeat(length) })).toBe(`${length}`);
  expect((await host.call("repeat", { times: length })).length).toBe(length);
});

const cancelling = [
  { kind: "SDK v1", start: startTalkativeServer, notified: 1 },
  { kind: "SDK v2 on the 2026-07-28 wire", start: startTalkativeServerV2, notified: 0 },
] as const;

it.each(cancelling)("lets $kind cancel a call, as its revision of MCP does", async ({ kind, start, notified }) => {
  const server = await start();
  const host = await connect(kind, server);
  const abort = new AbortController();
  const call = host.call("wait", {}, { signal: abort.signal });
  const failed = expect(call).rejects.toThrow("enough");
  await vi.waitUntil(() => server.calls.waiting === 1, PATIENCE);
  abort.abort("enough");
  await failed;
  await vi.waitUntil(() => server.calls.cancelled === 1, PATIENCE);
  const notifications = server.log.find("POST").filter(({ body }) => body.includes("notifications/cancelled"));
  expect(notifications).toHaveLength(notified);
});

it("lets a server ask within a result, and repeats arguments in headers, as 2026-07-28 wants it", async () => {
  const server = await startTalkativeServerV2();
  const host = await connect("SDK v2 on the 2026-07-28 wire", server);
  expect(await host.call("elicit")).toBe('{"answer":"elicited"}');
  await host.toolNames();
  expect(await host.call("mirrored", { region: "Zürich" })).toBe("Zürich");
  const [call] = server.log.find("POST").slice(-1);
  expect(call?.headers).toMatchObject({ "mcp-name": "mirrored", "mcp-param-region": "=?base64?WsO8cmljaA==?=" });
});

/** A call that waits, once the host has heard of it over the stream that its answer is to come on. */
async function waitingCall(host: ProxyHost): Promise<{ answer: Promise<string> }> {
  const onprogress = vi.fn();
  const answer = host.call("wait", {}, { onprogress });
  // It may fail before anybody waits for it.
  answer.catch(() => undefined);
  await vi.waitUntil(() => onprogress.mock.calls.length > 0, PATIENCE);
  return { answer };
}

it.each([{}, { redirects: true }])(
  "takes up a broken stream where the server can (%j), and the answer arrives",
  async (options) => {
    const server = await startTalkativeServer({ resumable: true, ...options });
    const host = await connect("SDK v1", server);
    const { answer } = await waitingCall(host);
    server.dropStreams();
    server.goOn();
    expect(await answer).toBe("went on");
    expect(server.log.find("GET").some(({ headers }) => headers["last-event-id"] !== undefined)).toBe(true);
  },
);

it("says so when a stream broke that cannot be taken up, instead of nothing", async () => {
  const server = await startTalkativeServer();
  const host = await connect("SDK v1", server);
  const { answer } = await waitingCall(host);
  server.dropStreams();
  await expect(answer).rejects.toThrow("broke before the answer was there");
  expect(await host.toolNames()).toContain("wait");
});

it("passes on what a server says instead of an answer, or says that there is none", async () => {
  const answers: Record<string, Response> = {
    own: Response.json({ jsonrpc: "2.0", id: null, error: { code: -32602, message: "no" } }, { status: 400 }),
    http: new Response("<html>", { status: 503 }),
    empty: Response.json([]),
    "no JSON": new Response("hello", { headers: { "content-type": "application/json" } }),
  };
  const route = (request: ScriptedRequest): Response =>
    answers[(request.json() as { method: string }).method] ?? new Response(null, { status: 500 });
  const server = closing(await startScriptedServer({ "POST /mcp": route }));
  const host = startRawHost([`${server.url}/mcp`], (await newHome()).env);
  for (const method of Object.keys(answers)) host.say(JSON.stringify({ jsonrpc: "2.0", id: method, method }));
  expect(await host.hears("own")).toMatchObject({ error: { code: -32602, message: "no" } });
  expect(await host.hears("http")).toMatchObject({ error: { code: -32000, data: { status: 503 } } });
  for (const id of ["empty", "no JSON"]) expect(await host.hears(id)).toMatchObject({ error: { code: -32000 } });
});

it("answers what its end cuts off", async () => {
  const server = await startTalkativeServer();
  const host = startRawHost([server.url.href], (await newHome()).env);
  host.say(initialize(1));
  await host.hears(1);
  host.say('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  host.say('{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"wait"}}');
  await vi.waitUntil(() => server.calls.waiting === 1, PATIENCE);
  host.process.stdin?.end();
  const { stdout, exitCode } = await host.ended;
  expect(exitCode).toBe(0);
  const [last] = messagesOf(stdout).slice(-1);
  expect(last).toMatchObject({ id: 2, error: { code: -32000, message: expect.stringContaining("closed before") } });
});

it("ends when its stdin ends, though nobody reads its stdout any more", async () => {
  const server = await startTalkativeServer();
  const host = startRawHost([server.url.href], (await newHome()).env);
  host.say(initialize(1));
  await host.hears(1);
  host.process.stdout?.pause();
  host.say('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  const params = { name: "repeat", arguments: { times: 1_000_000 } };
  host.say(JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params }));
  host.process.stdin?.end();
  expect(await once(host.process, "exit")).toEqual([0, null]);
});

it("says which server cannot be reached", async () => {
  const gone = await startScriptedServer();
  await gone.close();
  const host = startRawHost([`${gone.url}/mcp`], (await newHome()).env);
  host.say(initialize(1));
  expect((await host.hears(1)).error?.message).toContain(new URL(gone.url).host);
});
