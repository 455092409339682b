import { describe, expect, it } from "vitest";
import { readChallenge } from "../../../src/challenge/read.ts";

function read(...fields: string[]): Record<string, unknown> {
  const headers = new Headers();
  for (const field of fields) headers.append("www-authenticate", field);
  return { ...readChallenge(401, headers) };
}

const METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

describe("readChallenge", () => {
  it("reads what a 401 with a Bearer challenge asks for [CHL-1]", () => {
    const field = `Bearer error="invalid_token", scope="files:read files:write", resource_metadata="${METADATA}"`;
    expect(read(field)).toEqual({
      status: 401,
      schemes: ["bearer"],
      error: "invalid_token",
      scope: "files:read files:write",
      resourceMetadata: METADATA,
    });
  });

  it.each([
    ["a missing field", []],
    ["an empty field", [""]],
    ["a scheme without parameters", ["Bearer"]],
    ["an unusable challenge", ['Bearer scope="a", scope="b", resource_metadata="https://evil.example"']],
    ["empty values", ['Bearer scope="", error="", resource_metadata=""']],
  ])("asks for nothing in particular with %s, so that the well-known places are looked at [CHL-7]", (_case, fields) => {
    const { status, schemes: _schemes, ...rest } = read(...fields);
    expect([status, rest]).toEqual([401, {}]);
  });

  it.each([
    ["in one field", [`Basic realm="a, b", Bearer resource_metadata="${METADATA}", scope="s"`], ["basic", "bearer"]],
    ["in two fields", ['Basic realm="a, b"', `Bearer resource_metadata="${METADATA}", scope="s"`], ["basic", "bearer"]],
    [
      "before a scheme with token68 data",
      [`Bearer scope=s, resource_metadata="${METADATA}"`, "Negotiate abc=="],
      ["bearer", "negotiate"],
    ],
    [
      "beside Negotiate and DPoP",
      ["Negotiate", 'DPoP algs="ES256"', `Bearer scope=s, resource_metadata="${METADATA}"`],
      ["negotiate", "dpop", "bearer"],
    ],
  ])("finds the usable challenge wherever it sits: %s [CHL-2]", (_case, fields, schemes) => {
    expect(read(...fields)).toMatchObject({ schemes, scope: "s", resourceMetadata: METADATA });
  });

  it("ignores letter case and unknown parameters [CHL-4]", () => {
    expect(read(`bEaReR x-new="y", RESOURCE_METADATA="${METADATA}"`)).toEqual({
      status: 401,
      schemes: ["bearer"],
      resourceMetadata: METADATA,
    });
  });

  it("takes the metadata's address from any scheme, and the scope from DPoP too [CHL-5]", () => {
    expect(read(`DPoP algs="ES256 ES384", scope="s", resource_metadata="${METADATA}"`)).toEqual({
      status: 401,
      schemes: ["dpop"],
      scope: "s",
      resourceMetadata: METADATA,
      dpopAlgorithms: ["ES256", "ES384"],
    });
    expect(read(`Custom resource_metadata="${METADATA}"`)).toMatchObject({ resourceMetadata: METADATA });
  });

  it("does not take scope and error from schemes that have their own meaning for them", () => {
    expect(read('Basic scope="a", error="b"')).toEqual({ status: 401, schemes: ["basic"] });
  });

  it("leaves a challenge with a repeated parameter out and uses the others [CHL-4]", () => {
    expect(read('Bearer scope=a, scope=b, error=c, DPoP scope="d"')).toMatchObject({ scope: "d" });
    expect(read('Bearer scope=a, scope=b, error=c, DPoP scope="d"')).not.toHaveProperty("error");
  });

  it("keeps nothing of error_description and error_uri, so that nobody can show or open them [CHL-9]", () => {
    const field =
      'Bearer error="invalid_token", error_description="call 555-1234 now", error_uri="javascript:alert(1)"';
    expect(JSON.stringify(read(field))).not.toMatch(/555|javascript/);
  });
});
