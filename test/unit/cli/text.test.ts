import { describe, expect, it } from "vitest";
import { explain } from "../../../src/cli/explain.ts";
import { layOutRows, wrapText } from "../../../src/cli/layout.ts";
import { shellWord } from "../../../src/cli/shell-word.ts";
import { relativeTime } from "../../../src/cli/times.ts";
import { McpOAuthError, type McpOAuthErrorDetails } from "../../../src/core/errors.ts";

describe("relativeTime", () => {
  const now = Date.UTC(2026, 6, 28);
  const [second, minute, hour] = [1000, 60_000, 3_600_000];
  it.each([
    [0, "just now"],
    [400, "just now"],
    [-400, "just now"],
    [second, "in 1 second"],
    [-second, "1 second ago"],
    [90 * second, "in 90 seconds"],
    [119.6 * second, "in 2 minutes"],
    [52 * minute, "in 52 minutes"],
    [hour, "in 60 minutes"],
    [-119 * minute, "119 minutes ago"],
    [2 * hour, "in 2 hours"],
    [47 * hour, "in 47 hours"],
    [48 * hour, "in 2 days"],
    [-400 * 24 * hour, "400 days ago"],
  ])("%d ms from now: %s", (afterMs, text) => {
    expect(relativeTime(now + afterMs, now)).toBe(text);
  });
});

describe("wrapText", () => {
  it("breaks between words, keeps each line's indentation, and leaves what fits as it is", () => {
    expect(wrapText("  one two three four\n\nfive", 11)).toBe("  one two\n  three\n  four\n\nfive");
    expect(wrapText("one  two", 10)).toBe("one  two");
  });

  it("stands further in after the first line where it is told to", () => {
    expect(wrapText(" one two three", 9, 2)).toBe(" one\n   two\n   three");
  });

  it("leaves a command whole, so that it can be copied", () => {
    const hint = "Sign in: mcp-oauth login https://mcp.example.com/mcp --account work";
    expect(wrapText(hint, 20)).toBe(hint);
  });

  it("leaves an address whole, and counts no escape sequences", () => {
    const address = "https://mcp.example.com/a/long/path";
    expect(wrapText(`open ${address} now`, 12)).toBe(`open\n${address}\nnow`);
    expect(wrapText("\u001b[31mone\u001b[39m two", 7)).toBe("\u001b[31mone\u001b[39m two");
  });
});

describe("layOutRows", () => {
  it("aligns the values, hangs their further lines, and leaves out what is not there", () => {
    const rows = [
      ["a", "one two three"],
      ["longer", "four"],
      ["gone", undefined],
    ] as const;
    expect(layOutRows(rows, 20, (label) => label)).toBe(
      ["  a        one two", "           three", "  longer   four"].join("\n"),
    );
  });
});

describe("shellWord", () => {
  it.each([
    ["https://mcp.example.com/mcp", "https://mcp.example.com/mcp"],
    ["https://mcp.example.com/mcp?a=1&b=$(id)", "'https://mcp.example.com/mcp?a=1&b=$(id)'"],
    ["it's", "'it'\\''s'"],
    ["", "''"],
  ])("%s is one word", (text, word) => {
    expect(shellWord(text)).toBe(word);
  });
});

describe("explain", () => {
  const server = "https://mcp.example.com/mcp";
  const issuer = "https://auth.example.com";
  const error = (code: McpOAuthError["code"], message = "What the library says.", details: McpOAuthErrorDetails = {}) =>
    new McpOAuthError(code, message, details);

  it("proposes the sign-in that is missing, for the account that was meant", () => {
    const missing = { message: `You are not signed in to ${server} (account work).` };
    const hint = `Sign in: mcp-oauth login ${server} --account work`;
    const called = { server, account: "work" };
    expect(explain(error("interaction_required"), called)).toEqual({ ...missing, hint });
    expect(explain(error("sign_in_required"), called)).toEqual({ ...missing, hint });
    const ended = error("sign_in_required", "The session has ended.", { server });
    expect(explain(ended, called)).toEqual({ message: "The session has ended.", hint });
  });

  it("names its own options where the library names its", () => {
    const noClient = explain(error("client_unavailable", "clients: [...]", { server, issuer }), {});
    expect(noClient.message).not.toContain("clients:");
    expect(noClient.hint).toContain(`mcp-oauth login ${server} --client-id ID`);
    const elsewhere = explain(error("client_mismatch", "clients: [...]", { server, issuer }), {});
    expect(elsewhere.hint).toContain(`--issuer ${issuer}`);
    const late = explain(error("timeout", "Nobody came; the option signInTimeoutMs gives more time."), { server });
    expect(late.message).toBe("Nobody came; --timeout SECONDS gives more time.");
  });

  it.each([
    ['Sign in with a browser, or with flow "paste".', "Sign in with a browser, or with --paste."],
    ["Register one and pass it in the option clients.", "Register one and name it with --client-id."],
    [
      'Try another with the option redirect (for example { host: "localhost" } or a fixed port), or ask.',
      "Try another with --redirect-host or --redirect-port, or ask.",
    ],
    [
      "Set KEY, or hand in an encryptedFileStore with a key of its own.",
      "Set KEY, or choose another store with --store.",
    ],
    [
      "If so, name another store in the option `store`, or remove it.",
      "If so, name another store with --store, or remove it.",
    ],
    ["Call signIn to get one.", "Sign in to get one."],
    ["Report it, or call signIn to start over.", "Report it, or sign in to start over."],
    [
      "If that is intended, accept it with the option acceptOrigin; otherwise report it to the server's operator.",
      "The command line does not accept that; a program can, with the library's option acceptOrigin. Report it to the server's operator.",
    ],
    [
      "If you know that it works: issuerProfiles: [{}].",
      "The command line does not accept that; a program can, where you know that it is right, with the library's options: issuerProfiles: [{}].",
    ],
  ])("says what to type instead of what to pass: %s", (proposed, typed) => {
    expect(explain(error("store_failed", proposed), {}).message).toBe(typed);
  });

  it.each(["discovery_failed", "issuer_mismatch", "pkce_unsupported"] as const)("%s: proposes the doctor", (code) => {
    expect(explain(error(code), { server }).hint).toBe(`Find out why: mcp-oauth doctor ${server}`);
  });

  it("leaves the others to the library's words", () => {
    expect(explain(error("store_failed"), { server })).toEqual({ message: "What the library says." });
  });
});
