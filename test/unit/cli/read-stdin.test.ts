import { PassThrough, Readable } from "node:stream";
import { expect, it } from "vitest";
import { readStdin } from "../../../src/cli/read-stdin.ts";

it("gives all that is typed, and no longer waits for the end of it at Ctrl-C", async () => {
  const { signal } = new AbortController();
  expect(await readStdin(signal, Readable.from(["one ", "two"]))).toBe("one two");
  const controller = new AbortController();
  const reading = readStdin(controller.signal, new PassThrough());
  controller.abort();
  await expect(reading).rejects.toMatchObject({ code: "aborted" });
});
