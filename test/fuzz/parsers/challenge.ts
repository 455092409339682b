import assert from "node:assert/strict";
import fc from "fast-check";
import { parseChallenges } from "../../../src/challenge/parse.ts";
import { readChallenge } from "../../../src/challenge/read.ts";
import { asHeaderValue, hostilePieces, mutatedText } from "../generate-text.ts";
import { fuzzTarget } from "../target.ts";

const real = fc.constantFrom(
  'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
  'Bearer error="invalid_token", error_description="The token has expired", scope="mcp:tools files:read"',
  'Bearer realm="a, b \\"c\\"", resource_metadata=https://mcp.example.com/x?y=z, scope=mcp:tools',
  'DPoP algs="ES256 PS256", error="use_dpop_nonce", Bearer resource_metadata="https://mcp.example.com/x"',
  "Negotiate dG9rZW42OA==, Basic realm=x, , Bearer",
  'bearer ERROR = "insufficient_scope" ,Scope="a b"',
);
const pieces = [...hostilePieces, '"', '"', ", ", "Bearer ", "DPoP ", 'a="b"', "a=", "==", 'error="x"', " \t ,"];
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

export const challenge = fuzzTarget("challenge", mutatedText(real, pieces), () => ({
  read(text) {
    for (const { scheme, parameters } of parseChallenges(text)) {
      assert.match(scheme, TOKEN);
      for (const name of parameters.keys()) assert.match(name, TOKEN);
    }
    // What reaches us as a header field.
    const headers = new Headers({ "www-authenticate": asHeaderValue(text) });
    return readChallenge(401, headers);
  },
  outcomeOf: (value) => {
    const { resourceMetadata, error, scope } = value as ReturnType<typeof readChallenge>;
    for (const each of [resourceMetadata, error, scope]) assert.ok(each === undefined || each !== "");
    return (resourceMetadata ?? error ?? scope) ? "accepted" : "nothing";
  },
}));

interface Built {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = fc.string({ unit: fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 8 });
/** Parts that are put together to a field below. A comma and a quote may stand in a value, a line end may not. */
const built: fc.Arbitrary<readonly Built[]> = fc.array(
  fc.record({
    scheme: token,
    parameters: fc
      .uniqueArray(fc.tuple(token, fc.string({ unit: "grapheme", maxLength: 12 })), {
        selector: ([name]) => name.toLowerCase(),
        minLength: 1,
        maxLength: 4,
      })
      .map((list) => new Map(list)),
  }),
  { minLength: 1, maxLength: 4 },
);

function write({ scheme, parameters }: Built): string {
  const list = [...parameters].map(([name, value]) => `${name}="${value.replace(/["\\]/g, "\\$&")}"`);
  return `${scheme} ${list.join(", ")}`;
}

export const builtChallenge = fuzzTarget("challenge, built", built, () => ({
  read(parts) {
    const parsed = parseChallenges(parts.map(write).join(", "));
    const lower = (name: string): string => name.toLowerCase();
    assert.deepEqual(
      parsed.map(({ scheme, parameters }) => [scheme, [...parameters]]),
      parts.map(({ scheme, parameters }) => [
        lower(scheme),
        [...parameters].map(([name, value]) => [lower(name), value]),
      ]),
    );
    return parsed;
  },
}));
