import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { type TerminalPromptOptions, terminalPrompt } from "../../../src/adapters/terminal.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";
import type { AuthorizationPrompt } from "../../../src/ports/prompt.ts";

const URL_TEXT = "https://as.example.com/authorize?client_id=a&state=b";
const CALLBACK = "http://127.0.0.1:1/callback?code=c&state=b";

function setUp(options: TerminalPromptOptions = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  const written: string[] = [];
  output.on("data", (chunk: Buffer) => written.push(chunk.toString("utf8")));
  const controller = new AbortController();
  const prompt: AuthorizationPrompt = {
    authorizationUrl: URL_TEXT,
    server: "mcp.example.com",
    authorizationServer: "as.example.com",
    signal: controller.signal,
  };
  const ask = terminalPrompt({ input, output, interactive: true, ...options });
  return { input, output, controller, prompt, ask, text: () => written.join("") };
}

/** Waits until the prompt has asked. */
async function asked(text: () => string, count = 1): Promise<void> {
  while (text().split("Address: ").length <= count) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("terminalPrompt", () => {
  it("shows the server, the authorization server and the URL, and returns what is pasted", async () => {
    const { input, prompt, ask, text } = setUp();
    const pasted = ask(prompt);
    await asked(text);
    expect(text()).toContain("mcp.example.com");
    expect(text()).toContain("as.example.com");
    expect(text().split("\n")).toContain(URL_TEXT);
    expect(text()).toContain("paste it here");
    input.write(`  ${CALLBACK} \nmore\n`);
    expect(await pasted).toBe(CALLBACK);
  });

  it("shows the problem, not the whole text, when asked again", async () => {
    const { input, prompt, ask, text } = setUp();
    const again = ask(prompt, 'The address has no "code".');
    await asked(text);
    expect(text()).toContain('That did not work: The address has no "code".');
    expect(text()).not.toContain(URL_TEXT);
    input.write("x\n");
    expect(await again).toBe("x");
  });

  it("asks several times on one input", async () => {
    const { input, prompt, ask, text } = setUp();
    for (const [index, line] of ["one", "two", "three"].entries()) {
      const pasted = ask(prompt, index === 0 ? undefined : "no");
      await asked(text, index + 1);
      input.write(`${line}\n`);
      expect(await pasted).toBe(line);
    }
  });

  it("is taken away when the sign-in ended some other way, and lets go of the input", async () => {
    const { input, controller, prompt, ask, text } = setUp();
    const pasted = ask(prompt);
    await asked(text);
    controller.abort();
    expect(await pasted).toBeUndefined();
    expect(text()).toMatch(/\n$/);
    expect(input.isPaused()).toBe(true);
    expect(input.listenerCount("data") + input.listenerCount("keypress")).toBe(0);
    const length = text().length;
    expect(await ask(prompt)).toBeUndefined();
    expect(text()).toHaveLength(length);
  });

  it("returns nothing when the input ends", async () => {
    const { input, prompt, ask, text } = setUp();
    const pasted = ask(prompt);
    await asked(text);
    input.end();
    expect(await pasted).toBeUndefined();
  });

  it("reads nothing where nobody can paste", async () => {
    for (const terminals of [[], ["input"], ["output"]]) {
      const { input, output, prompt, text } = setUp();
      if (terminals.includes("input")) Object.assign(input, { isTTY: true });
      if (terminals.includes("output")) Object.assign(output, { isTTY: true });
      expect(await terminalPrompt({ input, output })(prompt)).toBeUndefined();
      expect(text()).toContain(URL_TEXT);
      expect(text()).not.toContain("paste");
      expect(input.listenerCount("data") + input.listenerCount("readable")).toBe(0);
    }
  });

  it("edits long lines itself on a terminal, and Ctrl+C still interrupts", async () => {
    let interrupted = 0;
    const rawModes: boolean[] = [];
    const { input, output, prompt, text } = setUp();
    Object.assign(input, { isTTY: true, setRawMode: (raw: boolean) => rawModes.push(raw) });
    Object.assign(output, { isTTY: true, columns: 80 });
    const ask = terminalPrompt({ input, output, onInterrupt: () => (interrupted += 1) });
    const pasted = ask(prompt);
    await asked(text);
    const long = `${CALLBACK}&x=${"a".repeat(6000)}`;
    input.write(`${long}\r`);
    expect(await pasted).toBe(long);
    const second = ask(prompt, "no");
    await asked(text, 2);
    expect(interrupted).toBe(0);
    input.write("\u0003");
    expect(await second).toBeUndefined();
    expect(interrupted).toBe(1);
    expect(rawModes).toEqual([true, false, true, false]);
  });

  it("sends no server's control characters to the terminal, and shows no URL that must not be opened", async () => {
    const { prompt, text, ask } = setUp({ interactive: false });
    const evil = "a\u001b]0;owned\u0007\u001b[2J\u202eb\r\nc\u009b31m";
    await ask({ ...prompt, server: evil, authorizationServer: evil });
    await ask(prompt, evil);
    expect(text()).not.toMatch(/[\u001b\u0007\u202e\r\u009b]/);
    const bad = ask({ ...prompt, authorizationUrl: "javascript:alert(1)" });
    await expect(bad).rejects.toBeInstanceOf(McpOAuthError);
    await expect(bad).rejects.toMatchObject({ code: "insecure_url" });
  });
});
