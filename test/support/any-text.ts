import fc from "fast-check";

/**
 * Text with characters of all kinds: ASCII, controls, letters of any script, invisible ones, emoji. (fast-check's own
 * `unit: "binary"` takes seconds to set up.)
 */
export function anyText({ maxLength = 30 }: { maxLength?: number } = {}): fc.Arbitrary<string> {
  const code = fc.oneof(
    fc.integer({ min: 0, max: 0x7f }),
    fc.integer({ min: 0x80, max: 0xd7ff }),
    fc.integer({ min: 0x2000, max: 0x206f }),
    fc.integer({ min: 0xe000, max: 0x10ffff }),
  );
  return fc.array(code, { maxLength }).map((codes) => String.fromCodePoint(...codes));
}

/** Something like a URL: whole ones, of every kind that matters here, and broken ones. (`webUrl` takes seconds too.) */
export const anyUrl: fc.Arbitrary<string> = fc
  .array(
    fc.constantFrom(
      ...[
        "https:",
        "http:",
        "ws:",
        "javascript:",
        "//",
        "/",
        "@",
        ":",
        ":99999",
        "?",
        "#",
        "..",
        "%",
        "%2e",
        " ",
        "\t",
      ],
      ...["localhost", "127.1", "[::1]", "as.example.com", "a=b", "é"],
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join(""));
