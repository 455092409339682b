import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Output } from "../../../src/cli/output.ts";
import { Waiting } from "../../../src/cli/sdk/waiting.ts";
import type { TokenManager } from "../../../src/index.ts";

const LIMIT_MS = 30_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const events = new EventEmitter();
  const shown: string[] = [];
  const progress = async (text: string) => {
    shown.push(text);
    return { update: () => undefined, succeed: () => undefined, stop: () => void shown.push("stopped") };
  };
  const interrupt = new AbortController();
  const waiting = new Waiting({
    output: { progress } as unknown as Output,
    tokens: events as unknown as TokenManager,
    server: "https://mcp.example.com/mcp",
    signal: interrupt.signal,
  });
  const never: { signal?: AbortSignal } = {};
  const connecting = (limitMs?: number): Promise<unknown> => {
    const settled = waiting.until(
      "Connecting",
      (signal) => {
        never.signal = signal;
        return new Promise(() => undefined);
      },
      limitMs,
    );
    return settled.catch((error: unknown) => error);
  };
  return { events, shown, interrupt, waiting, never, connecting };
}

it("says nothing of an answer that comes soon, and leaves no timer", async () => {
  const { shown, waiting } = setUp();
  expect(await waiting.until("Connecting", async () => "here", LIMIT_MS)).toBe("here");
  expect(vi.getTimerCount()).toBe(0);
  expect(shown).toEqual([]);
});

it("says what it waits for, and gives up after the limit", async () => {
  const { shown, never, connecting } = setUp();
  const outcome = connecting(LIMIT_MS);
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1);
  expect(shown).toEqual(["Connecting"]);
  expect(never.signal?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcome).toMatchObject({
    exitCode: 6,
    message: "mcp.example.com has not answered within 30 seconds.",
    details: { code: "timeout" },
  });
  expect(never.signal?.aborted).toBe(true);
  expect(shown).toEqual(["Connecting", "stopped"]);
});

it("does not count the time in which somebody signs in", async () => {
  const { events, shown, connecting } = setUp();
  const outcome = connecting(LIMIT_MS);
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1);
  events.emit("challenge_received");
  expect(shown).toEqual(["Connecting", "stopped"]);
  await vi.advanceTimersByTimeAsync(10 * LIMIT_MS);
  events.emit("token_issued");
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1);
  expect(shown).toEqual(["Connecting", "stopped", "Connecting"]);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcome).toMatchObject({ exitCode: 6 });
});

it("without a limit ends at Ctrl-C only", async () => {
  const { interrupt, connecting } = setUp();
  const outcome = connecting();
  await vi.advanceTimersByTimeAsync(24 * 3_600_000);
  interrupt.abort();
  expect(await outcome).toMatchObject({ code: "aborted" });
  expect(vi.getTimerCount()).toBe(0);
});
