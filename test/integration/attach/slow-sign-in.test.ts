// A person takes longer than the SDK's patience.
import { describe, expect, it, vi } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import {
  type ClientChoice,
  connected,
  newConnection,
  slowPerson,
  startHost,
  startServers,
  tokenRequests,
} from "./support/host.ts";

const clients: ClientChoice[] = [
  { sdk: "v1", wire: "Streamable HTTP", way: "fetch" },
  { sdk: "v1", wire: "Streamable HTTP", way: "authProvider" },
  { sdk: "v2", wire: "Streamable HTTP", way: "fetch" },
  { sdk: "v2", wire: "Streamable HTTP", way: "authProvider" },
  { sdk: "v2", wire: "Streamable HTTP", way: "bearerProvider" },
  { sdk: "v2 on the 2026-07-28 wire", wire: "Streamable HTTP", way: "fetch" },
  { sdk: "v2 on the 2026-07-28 wire", wire: "Streamable HTTP", way: "authProvider" },
  { sdk: "v2 on the 2026-07-28 wire", wire: "Streamable HTTP", way: "bearerProvider" },
];
const name = "with SDK $sdk over $wire by $way";

/** Lets an SDK's whole patience of 60 s pass, by its own timer, once so many browser tabs are open. */
async function outlast(call: () => Promise<unknown>, opened: readonly URL[], tabs: number): Promise<void> {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const outcome = call().then(
      () => "an answer",
      (error: unknown) => String(error),
    );
    await expect.poll(() => opened.length, { timeout: 5000 }).toBe(tabs);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await outcome).toMatch(/timed out/i);
  } finally {
    vi.useRealTimers();
  }
}

describe("a sign-in that outlasts the SDK's patience is not lost", () => {
  it.each(clients)(`the next connect() waits for it and uses it, in the same browser tab, ${name}`, async (choice) => {
    const { as, mcp } = await startServers({ sdk: choice.sdk === "v1" ? "v1" : "v2" });
    const { goOn, ...person } = slowPerson();
    const { tokens, opened } = startHost({ person });
    await outlast(() => newConnection(choice, tokens, mcp.url).connect(), opened, 1);
    const second = newConnection(choice, tokens, mcp.url);
    const connecting = second.connect();
    goOn();
    await connecting;
    expect(await second.call("echo", { text: "at last" })).toBe("at last");
    expect([opened.length, tokenRequests(as)]).toEqual([1, 1]);
  });

  it.each(clients)(`a connect() after it has ended uses its token at once, ${name}`, async (choice) => {
    const { as, mcp } = await startServers({ sdk: choice.sdk === "v1" ? "v1" : "v2" });
    const { goOn, ...person } = slowPerson();
    const { tokens, opened, events } = startHost({ person });
    await outlast(() => newConnection(choice, tokens, mcp.url).connect(), opened, 1);
    goOn();
    await expect.poll(() => events.map(({ type }) => type)).toContain("token_issued");
    mcp.log.clear();
    await connected(choice, tokens, mcp.url);
    expect(mcp.log.requests.filter(({ status }) => status === 401)).toEqual([]);
    expect([opened.length, tokenRequests(as)]).toEqual([1, 1]);
  });

  const steppers = clients.filter(({ way }) => way !== "bearerProvider");
  it.each(steppers)(`the next call that needs the same scopes waits for it, ${name} [STEP-1]`, async (choice) => {
    const { as, mcp } = await startServers({
      sdk: choice.sdk === "v1" ? "v1" : "v2",
      scopes: ["mcp:tools", "mcp:admin"],
      challengeScope: "mcp:tools",
    });
    const { goOn, ...person } = slowPerson();
    const { tokens, opened } = startHost({
      person: { open: (url) => (opened.length === 1 ? new UserAgent().open(url) : person.open(url)) },
    });
    const connection = await connected(choice, tokens, mcp.url);
    await outlast(() => connection.call("admin"), opened, 2);
    const next = connection.call("admin");
    goOn();
    expect(await next).toContain("administrator");
    expect([opened.length, tokenRequests(as)]).toEqual([2, 2]);
  });
});
