import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentSecurityPolicy, noticePage, resultPage } from "../../../src/adapters/loopback/result-page.ts";
import { anyText } from "../../support/any-text.ts";

const outcomes = ["signed-in", "denied", "failed"] as const;
const pages = [
  ...outcomes.map((outcome) => resultPage({ outcome, clientName: "Acme", serverName: "mcp.example.com" })),
  ...(["received", "used", "unknown"] as const).map(noticePage),
];

describe("result pages [RUR-3]", () => {
  it("have one inline script and one style, both with their hash in the policy", () => {
    for (const html of pages) {
      for (const tag of ["script", "style"]) {
        const inline = [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))];
        expect(inline).toHaveLength(1);
        const hash = createHash("sha256")
          .update(inline[0]?.[1] ?? "")
          .digest("base64");
        expect(contentSecurityPolicy()).toContain(`${tag}-src 'sha256-${hash}'`);
      }
    }
  });

  it("come with a policy that lets nothing run or load but what stands in them [URL-5]", () => {
    const directives = contentSecurityPolicy()
      .split("; ")
      .map((directive) => directive.split(" "));
    const names = directives.map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(["default-src", "base-uri", "form-action", "frame-ancestors"]));
    for (const [name, ...sources] of directives) {
      expect(sources, name).toEqual([expect.stringMatching(/^('none'|data:|'sha256-[\w+/]{43}=')$/)]);
      // Pictures apart, nothing is taken from an address.
      expect(sources.includes("data:"), name).toBe(name === "img-src");
    }
  });

  it("have no links, no external resources, no form and no style attribute", () => {
    for (const html of pages) {
      expect(html).not.toMatch(/<a |<form|<iframe|<img|@import|url\(| style=| on\w+=|\bsrc=/);
      expect(html.replace(/http:\/\/www\.w3\.org\/2000\/svg|http%3A%2F%2Fwww\.w3\.org/g, "")).not.toMatch(/https?:/);
    }
  });

  it("say what happened, to whom, and that the tab can be closed", () => {
    for (const html of pages) expect(html).toContain("You can close this tab");
    for (const html of pages.slice(0, 3)) expect(html).toMatch(/>Acme<[^]*>mcp\.example\.com</);
    for (const html of pages) expect(Buffer.byteLength(html)).toBeLessThan(8192);
  });

  it("name somebody even when the names have nothing to show", () => {
    const html = resultPage({ outcome: "signed-in", clientName: "\u200b\n", serverName: "" });
    expect(html).toContain("the application can now use the server for you");
  });

  it("keep the whole of a long host name, and cut a long client name", () => {
    const serverName = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.example`;
    const html = resultPage({ outcome: "failed", clientName: "x".repeat(500), serverName });
    expect(html).toContain(serverName);
    expect(html).not.toContain("x".repeat(81));
  });

  it("cannot be given markup, control or bidirectional characters by any name", () => {
    const unit = fc.constantFrom(
      "<",
      ">",
      '"',
      "'",
      "&",
      "`",
      "script",
      "/",
      " ",
      "\u202e",
      "\u0000",
      "\u001b",
      "\ud800",
      "a",
    );
    const name = fc.oneof(
      fc.array(unit).map((parts) => parts.join("")),
      anyText(),
    );
    const skeleton = (html: string): string[] => html.match(/<[^>]*>/g) ?? [];
    const plain = resultPage({ outcome: "denied", clientName: "a", serverName: "b" });
    fc.assert(
      fc.property(name, name, (clientName, serverName) => {
        const html = resultPage({ outcome: "denied", clientName: `a${clientName}`, serverName: `b${serverName}` });
        expect(skeleton(html)).toEqual(skeleton(plain));
        expect(html).not.toMatch(/[\u202a-\u202e\u2066-\u2069]|(?!\n)\p{Cc}/u);
      }),
    );
  });
});
