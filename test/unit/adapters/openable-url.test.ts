import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { McpOAuthError } from "../../../src/core/errors.ts";
import { assertOpenableUrl, LONGEST_OPENABLE_URL } from "../../../src/core/openable-url.ts";

const ONLY_PLAIN = /^https?:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d+)?\/[A-Za-z0-9\-._~:/?#@&=+,%]*$/;

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof McpOAuthError ? error.code : String(error);
  }
}

describe("assertOpenableUrl [URL-1, URL-2, URL-3]", () => {
  it.each([
    ["https://as.example.com/authorize?client_id=a&state=b", "https://as.example.com/authorize?client_id=a&state=b"],
    ["HTTPS://AS.example.com", "https://as.example.com/"],
    ["http://localhost:8080/a", "http://localhost:8080/a"],
    ["http://127.0.0.1/a", "http://127.0.0.1/a"],
    ["http://127.9.8.7:1/a", "http://127.9.8.7:1/a"],
    ["http://0x7f.1/", "http://127.0.0.1/"],
    ["http://[::1]:9/a?b=c#d", "http://[::1]:9/a?b=c#d"],
    ["https://bücher.example/", "https://xn--bcher-kva.example/"],
    ["https://10.0.0.1/", "https://10.0.0.1/"],
    ["https://a.example/?q=%20%C3%BC&r=a+b", "https://a.example/?q=%20%C3%BC&r=a+b"],
  ])("lets %s through as %s", (given, expected) => {
    expect(assertOpenableUrl(given).href).toBe(expected);
  });

  it.each([
    ["https://a.example/?x=1&calc", "https://a.example/?x=1&calc"],
    ["https://a.example/$(calc)", "https://a.example/%24%28calc%29"],
    ["https://a.example/?q=$(calc)", "https://a.example/?q=%24%28calc%29"],
    ["https://a.example/?q=';calc;'", "https://a.example/?q=%27%3Bcalc%3B%27"],
    ["https://a.example/'", "https://a.example/%27"],
    ['https://a.example/?q="&calc&"', "https://a.example/?q=%22&calc&%22"],
    ["https://a.example/?q=`id`#`id`", "https://a.example/?q=%60id%60#%60id%60"],
    ["https://a.example/?q=a|b^c\\d{e}", "https://a.example/?q=a%7Cb%5Ec%5Cd%7Be%7D"],
    ["https://a.example/%PATH%?q=%PATH%", "https://a.example/%25PATH%25?q=%25PATH%25"],
    ["https://a.example/?claims[a]=*!", "https://a.example/?claims%5Ba%5D=%2A%21"],
    ["https://a.example/‘’‚‛", "https://a.example/%E2%80%98%E2%80%99%E2%80%9A%E2%80%9B"],
  ])("makes %s harmless as %s", (given, expected) => {
    expect(assertOpenableUrl(given).href).toBe(expected);
  });

  it.each([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "\u0001javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "DATA:text/html;base64,PHNjcmlwdD4=",
    "file:///etc/passwd",
    "file://evil.example/share",
    "vbscript:msgbox(1)",
    "ms-msdt:/id",
    "ms-settings:",
    "search-ms:query=x",
    "ftp://a.example/",
    "ws://localhost/",
    "wss://a.example/",
    "blob:https://a.example/1",
    "view-source:https://a.example/",
    "x-apple.systempreferences:",
    "mailto:a@b.example",
    "about:blank",
    "http://a.example/",
    "http://localhost.evil.example/",
    "http://localhost./",
    "http://127.0.0.1.evil.example/",
    "http://127.evil.example/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::2]/",
    "http://0.0.0.0/",
    "http://128.0.0.1/",
    "http://2130706434.evil/",
    "https://user@a.example/",
    "https://user:secret@a.example/",
    "http://localhost@evil.example/",
    "https://a$(calc).example/",
    "https://a`calc`.example/",
    "https://a'b.example/",
    'https://a"b.example/',
    "https://a;calc.example/",
    "https://a&calc.example/",
    "https://a.example/\ncalc",
    "https://a.example/a b",
    "https://a.example/\u202egpj.exe",
    "https://a.example/\u0000",
    "https://a.example/\u2028",
    "ht\ttps://a.example/",
    "//a.example/",
    "/etc/passwd",
    "-a",
    "--version",
    "a.example",
    "https://",
    "",
    `https://a.example/${"a".repeat(LONGEST_OPENABLE_URL)}`,
    `https://a.example/?${"'".repeat(LONGEST_OPENABLE_URL / 2)}`,
  ])("refuses %j", (given) => {
    expect(codeOf(() => assertOpenableUrl(given))).toBe("insecure_url");
  });

  it("keeps user information and the query out of its message", () => {
    const urls = [
      "https://user:hunter2@a.example/",
      "ftp://a.example/?state=hunter2",
      "x:#hunter2",
      "http://a.b/?hunter2",
    ];
    for (const url of urls) {
      expect(() => assertOpenableUrl(url)).toThrow(McpOAuthError);
      expect(() => assertOpenableUrl(url)).not.toThrow(/hunter2/);
    }
  });

  it("does not believe an object that only looks like a URL", () => {
    const lying = new URL("https://a.example/");
    Object.defineProperty(lying, "protocol", { value: "https:" });
    lying.toString = () => "javascript:alert(1)";
    expect(codeOf(() => assertOpenableUrl(lying))).toBe("insecure_url");
  });

  it("gives plain text, or refuses, whatever it is handed", () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom("https:", "http:", "//", "a.example", "localhost", "@", "$(x)", "'", "`", "%", "?", "#"),
        fc.string(),
      ),
    );
    fc.assert(
      fc.property(pieces, fc.constantFrom("", "https://a.example/", "https://", "http://[::1]"), (parts, prefix) => {
        const given = prefix + parts.join("");
        let url: URL;
        try {
          url = assertOpenableUrl(given);
        } catch (error) {
          expect(error).toBeInstanceOf(McpOAuthError);
          return;
        }
        expect(url.href).toMatch(ONLY_PLAIN);
        expect(url.href.length).toBeLessThanOrEqual(LONGEST_OPENABLE_URL);
        expect(assertOpenableUrl(url.href).href).toBe(url.href);
        // Encoding changes how a parameter is written, not what a server reads.
        expect([...url.searchParams]).toEqual([...new URL(given).searchParams]);
      }),
      { numRuns: 2000 },
    );
  });
});
