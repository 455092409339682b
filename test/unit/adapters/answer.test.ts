import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { sendPage } from "../../../src/adapters/loopback/answer.ts";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { readToEnd } from "./loopback-client.ts";

/** More than the operating system takes from us while nobody reads. */
const LARGE = `<p>${"a".repeat(32 * 1024 * 1024)}</p>`;
let stop: () => Promise<unknown>;

afterEach(() => stop());

/** A response to a client that does not read until it is told to. */
async function responseToSlowClient(): Promise<{ response: ServerResponse; read: () => Promise<string> }> {
  const server = createServer();
  stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  const received = new Promise<ServerResponse>((resolve) =>
    server.once("request", (_request, response) => resolve(response)),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const read = (): Promise<string> => {
    const text = readToEnd(socket);
    socket.resume();
    return text;
  };
  return { response: await received, read };
}

describe("sendPage", () => {
  it("resolves when the page is out, and lets the first of two answers stand", async () => {
    const { response, read } = await responseToSlowClient();
    const order: string[] = [];
    const first = sendPage(response, 200, LARGE, systemClock).then(() => order.push("first"));
    const second = sendPage(response, 400, "second", systemClock).then(() => order.push("second"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(order).toEqual([]);
    const text = await read();
    await Promise.all([first, second]);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text.endsWith("</p>")).toBe(true);
    await sendPage(response, 200, "third", systemClock);
  });

  it("does not wait for ever for a browser that does not read", async () => {
    const { response } = await responseToSlowClient();
    const delays: number[] = [];
    const impatient: Clock = {
      now: () => 0,
      schedule(callback, delayMs) {
        delays.push(delayMs);
        setImmediate(callback);
        return () => undefined;
      },
    };
    await sendPage(response, 200, LARGE, impatient);
    expect(delays).toEqual([2000]);
  });

  it("resolves when the browser has gone", async () => {
    const { response } = await responseToSlowClient();
    response.destroy();
    await sendPage(response, 200, LARGE, systemClock);
  });
});
