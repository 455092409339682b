// Metadata that is fetched while the first request is under way, for hosts that expect to be refused.
import { expect, it } from "vitest";
import { paths, startHost } from "./support/harness.ts";
import { type Pair, startPair } from "./support/real-servers.ts";

const METADATA = "/.well-known/oauth-protected-resource/mcp";

/** Holds the first answer to a request back until the metadata has been asked for. */
function answerAfterMetadata({ mcp }: Pair): void {
  mcp.respond(
    "/mcp",
    async (_request, _response, next) => {
      await expect.poll(() => mcp.log.count("GET", METADATA), { interval: 2, timeout: 5000 }).toBe(1);
      next();
    },
    { times: 1 },
  );
}

it("fetches the metadata while the first request is under way, and only then", async () => {
  const pair = await startPair();
  answerAfterMetadata(pair);
  const { tokens } = startHost({ expectAuthorization: true });
  const { status } = await tokens.fetch(pair.mcp.url)(pair.mcp.url);
  expect(status).not.toBe(401);
  expect(pair.mcp.log.count("GET", METADATA)).toBe(1);
  expect(paths(pair.mcp.log)).toHaveLength(3);
});

it("does so for a host that asks for a token, too", async () => {
  const pair = await startPair();
  answerAfterMetadata(pair);
  await startHost({ expectAuthorization: true }).tokens.get(pair.mcp.url);
  expect(paths(pair.mcp.log)).toHaveLength(2);
});

it("fetches nothing before it is asked for, unless the host says so", async () => {
  const { mcp } = await startPair();
  let begun = 0;
  const begunAtAnswer: number[] = [];
  const counting: typeof fetch = async (input, init) => {
    begun += 1;
    const response = await fetch(input, init);
    begunAtAnswer.push(begun);
    return response;
  };
  await startHost({ fetch: counting }).tokens.get(mcp.url);
  expect(begunAtAnswer[0]).toBe(1);
  begun = 0;
  begunAtAnswer.length = 0;
  await startHost({ fetch: counting, expectAuthorization: true }).tokens.get(mcp.url);
  expect(begunAtAnswer[0]).toBe(2);
});

it("follows the challenge where that points elsewhere", async () => {
  const { as, mcp } = await startPair({}, { metadata: "root" });
  const { tokens } = startHost({ expectAuthorization: true });
  const { issuer } = await tokens.get(mcp.url);
  expect(issuer).toBe(as.issuer);
  expect(mcp.log.count("GET", "/.well-known/oauth-protected-resource")).toBe(1);
});

it("asks once more where the first try has failed", async () => {
  const { mcp } = await startPair();
  mcp.respond(METADATA, (_request, response) => response.writeHead(503).end(), { times: 1 });
  await startHost({ expectAuthorization: true }).tokens.get(mcp.url);
  expect(mcp.log.count("GET", METADATA)).toBe(2);
});

it("lets go of the metadata of a server that asks for no authorization, and never looks again", async () => {
  const { mcp } = await startPair();
  let dropped = 0;
  mcp.respond(METADATA, (request) => request.socket.once("close", () => dropped++));
  mcp.respond("/mcp", async (_request, response) => {
    await expect.poll(() => mcp.log.count("GET", METADATA), { interval: 2, timeout: 5000 }).toBe(1);
    response.writeHead(200).end();
  });
  const fetch = startHost({ expectAuthorization: true }).tokens.fetch(mcp.url);
  expect((await fetch(mcp.url)).status).toBe(200);
  await expect.poll(() => dropped, { interval: 2, timeout: 5000 }).toBe(1);
  expect((await fetch(mcp.url)).status).toBe(200);
  expect(mcp.log.count("GET", METADATA)).toBe(1);
});

it("looks ahead again when the first request has reached nobody", async () => {
  const { mcp } = await startPair();
  let begun = 0;
  const begunAtAnswer: number[] = [];
  const failingOnce: typeof fetch = async (input, init) => {
    begun += 1;
    if (begun === 1) throw new TypeError("fetch failed");
    const response = await fetch(input, init);
    begunAtAnswer.push(begun);
    return response;
  };
  const { tokens } = startHost({ fetch: failingOnce, expectAuthorization: true });
  await expect(tokens.fetch(mcp.url)(mcp.url)).rejects.toThrow("fetch failed");
  begun = 10;
  begunAtAnswer.length = 0;
  await tokens.get(mcp.url);
  // The metadata was asked for before the first answer had come.
  expect(begunAtAnswer[0]).toBe(12);
});
