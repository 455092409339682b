import { Writable } from "node:stream";
import { type DeviceSignIn, type TerminalDevicePromptOptions, terminalDevicePrompt } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";

const clock = new ManualClock();

async function textFor(
  signIn: Partial<DeviceSignIn> = {},
  terminal: { isTTY?: boolean; columns?: number; rows?: number } = {},
  options: TerminalDevicePromptOptions = {},
): Promise<string> {
  const chunks: string[] = [];
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(String(chunk));
      done();
    },
  });
  await terminalDevicePrompt({ output: Object.assign(output, terminal), clock, ...options })({
    server: "https://mcp.example.com/mcp",
    clientName: "Acme Agent",
    authorizationServer: "login.example.com",
    verificationUri: "https://login.example.com/device",
    userCode: "WDJB-MJHT",
    expiresAt: clock.now() + 600_000,
    signal: new AbortController().signal,
    ...signIn,
  });
  return chunks.join("");
}

const large = { isTTY: true, columns: 80, rows: 50 };

describe("terminalDevicePrompt", () => {
  it("says who asks for what, where to go, the code and until when, and warns of codes from others [DEV-2] [DEV-7]", async () => {
    expect(await textFor()).toBe(
      [
        "",
        "  Acme Agent wants to sign in",
        "  to        https://mcp.example.com/mcp",
        "  through   login.example.com",
        "",
        "  On any device, open this address:",
        "",
        "https://login.example.com/device",
        "",
        "  and enter this code:   WDJB-MJHT",
        "",
        "  The code ends in 10 min. Enter it only if you have started this sign-in",
        "  yourself: whoever sent you here would be signed in as you.",
        "",
        "",
      ].join("\n"),
    );
  });

  it("draws a code beside the text where there is room for it, never in its place [DEV-2]", async () => {
    const verificationUriComplete = "https://login.example.com/device?user_code=WDJB-MJHT";
    const text = await textFor({ verificationUriComplete }, large);
    expect(text).toContain("https://login.example.com/device\n");
    expect(text).toContain("WDJB-MJHT");
    expect(text).toContain("compare the code");
    expect(text).toMatch(/[▀▄█]{10}/);
    for (const line of text.split("\n")) expect(line.length).toBeLessThan(80);
    expect(await textFor({}, large)).toContain("Or scan this with a phone:");
  });

  it("draws it in a window of 24 lines too, above few words, so that all of it can be seen at once [DEV-2] [DEV-7]", async () => {
    const verificationUriComplete = "https://login.example.com/device?user_code=WDJB-MJHT";
    const lines = (await textFor({ verificationUriComplete }, { ...large, rows: 24 })).trimEnd().split("\n");
    // The last line of the window is for what the program says next.
    expect(lines.length).toBeLessThan(24);
    expect(lines.slice(-6)).toEqual([
      "  Acme Agent wants to sign in to https://mcp.example.com/mcp",
      "  through login.example.com",
      "  Scan this with a phone, or open this address on any device:",
      "https://login.example.com/device",
      "  The code is WDJB-MJHT and ends in 10 min. Enter it only if you have started",
      "  this sign-in yourself: whoever sent you here would be signed in as you.",
    ]);
    for (const line of lines.slice(0, -6)) expect(line).toMatch(/^ {2}[▀▄█ ]+$/);
  });

  it.each([{}, { ...large, isTTY: false }, { ...large, rows: 16 }, { ...large, columns: 30 }])(
    "draws none on an output like %j, unless it is told to",
    async (terminal) => {
      expect(await textFor({}, terminal)).not.toContain("█");
      expect(await textFor({}, terminal, { qrCode: true })).toContain("█");
    },
  );

  it("draws none where it is told not to, nor for an address of a length that nobody scans", async () => {
    expect(await textFor({}, large, { qrCode: false })).not.toContain("█");
    const verificationUriComplete = `https://login.example.com/device?user_code=${"x".repeat(2000)}`;
    expect(await textFor({ verificationUriComplete }, { ...large, rows: 200 })).not.toContain("█");
  });

  it("sends nothing to the terminal that it would obey", async () => {
    const hostile = "a\u001b[2J\u0007\u202eb\nc";
    const text = await textFor({ clientName: hostile, authorizationServer: hostile, userCode: hostile });
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it("says nothing after the sign-in has ended", async () => {
    expect(await textFor({ signal: AbortSignal.abort() })).toBe("");
  });
});
