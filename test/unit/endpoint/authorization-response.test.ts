import { describe, expect, it } from "vitest";
import { validateAuthorizationResponse } from "../../../src/endpoint/authorization-response.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { metadataAt, SERVER } from "../../support/stage.ts";

const ISSUER = "https://as.example.com";
const STATE = "the-state";

function validate(query: string, { advertised, issuer = ISSUER }: { advertised?: unknown; issuer?: string } = {}) {
  const authorizationServer = metadataAt(issuer, { authorization_response_iss_parameter_supported: advertised });
  const expected = { authorizationServer, clientId: "client", state: STATE, server: SERVER };
  return validateAuthorizationResponse(new URLSearchParams(query), expected);
}

const good = `code=c&state=${STATE}`;
const withIss = (iss: string, rest: string = good): string => `${rest}&iss=${encodeURIComponent(iss)}`;

describe("validateAuthorizationResponse", () => {
  it.each<[string, string, unknown, boolean]>([
    ["advertised and right [ISS-2]", withIss(ISSUER), true, true],
    ["advertised and wrong [ISS-2]", withIss("https://evil.example"), true, false],
    ["advertised and missing [ISS-3]", good, true, false],
    ["advertised and empty [ISS-3]", withIss(""), true, false],
    ["not advertised and right [ISS-4]", withIss(ISSUER), undefined, true],
    ["not advertised and wrong [ISS-4]", withIss("https://evil.example"), undefined, false],
    ["said not to be sent, and wrong [ISS-4]", withIss("https://evil.example"), false, false],
    ["not advertised and empty [ISS-4]", withIss(""), undefined, false],
    ["not advertised and missing [ISS-5]", good, undefined, true],
    ["said not to be sent, and missing [ISS-5]", good, false, true],
    ["there twice [ISS-9]", `${withIss(ISSUER)}&iss=${encodeURIComponent(ISSUER)}`, undefined, false],
    ["there twice, once wrong [ISS-9]", `${withIss(ISSUER)}&iss=x`, true, false],
  ])("the parameter iss is %s", async (_case, query, advertised, accepted) => {
    if (accepted) expect(await validate(query, { advertised })).toBe("c");
    else
      expect(["issuer_mismatch", "invalid_authorization_response"]).toContain(
        (await failureOf(validate(query, { advertised }))).code,
      );
  });

  it.each([
    ["https://as.example.com/", ISSUER],
    [ISSUER, "https://as.example.com/"],
    ["https://AS.example.com", ISSUER],
    ["HTTPS://as.example.com", ISSUER],
    ["https://as.example.com:443", ISSUER],
    ["https://as.example.com/a%2Fb", "https://as.example.com/a/b"],
    ["https://as.example.com/a%2fb", "https://as.example.com/a%2Fb"],
    ["https://as.example.com/./a", "https://as.example.com/a"],
    [" https://as.example.com", ISSUER],
    ["https://as.example.com#", ISSUER],
  ])("compares iss as it is: %s is not %s [ISS-6]", async (iss, issuer) => {
    expect(await failureOf(validate(withIss(iss), { issuer }))).toMatchObject({
      code: "issuer_mismatch",
      server: SERVER,
      issuer,
    });
  });

  it("decodes iss once, as a form [ISS-6]", async () => {
    const issuer = "https://as.example.com/a+b%2Fc";
    expect(await validate(withIss(issuer), { issuer })).toBe("c");
  });

  it.each<[string, string]>([
    ["another issuer", "iss=https%3A%2F%2Fevil.example"],
    ["no issuer", "x=y"],
  ])("neither shows nor acts on the error of a response with %s [ISS-8]", async (_case, iss) => {
    const query = `error=access_denied&error_description=planted-text&error_uri=https%3A%2F%2Fplanted.example&state=${STATE}&${iss}`;
    const error = await failureOf(validate(query, { advertised: true }));
    expect(error).toMatchObject({ code: "issuer_mismatch" });
    expect(error).not.toHaveProperty("oauthError");
    expect(shown(error)).not.toMatch(/planted|access_denied/);
  });

  it.each<[string, string]>([
    ["two issuers", `&state=${STATE}&iss=${encodeURIComponent(ISSUER)}&iss=https%3A%2F%2Fevil.example`],
    ["two states", `&state=${STATE}&state=other`],
  ])("nor of one with %s [ISS-8] [ISS-9] [STATE-1]", async (_case, rest) => {
    const error = await failureOf(validate(`error=access_denied&error_description=planted-text${rest}`));
    expect(error.code).toBe("invalid_authorization_response");
    expect(shown(error)).not.toMatch(/planted|access_denied/);
  });

  it.each<[string, string]>([
    ["missing", "code=c"],
    ["another", "code=c&state=other"],
    ["that of a sign-in elsewhere, longer", `code=c&state=${STATE}2`],
    ["in another case", `code=c&state=${STATE.toUpperCase()}`],
    ["empty", "code=c&state="],
    ["there twice", `code=c&state=${STATE}&state=${STATE}`],
    ["missing in an error response", "error=access_denied&error_description=planted"],
    ["another in an error response", "error=access_denied&state=other&error_description=planted"],
  ])("drops a response whose state is %s [STATE-1] [STATE-2]", async (_case, query) => {
    const error = await failureOf(validate(query));
    expect(error).toMatchObject({ code: "invalid_authorization_response", server: SERVER, issuer: ISSUER });
    expect(shown(error)).not.toContain("planted");
  });

  it.each<[string, string]>([
    ["no code", `state=${STATE}`],
    ["an empty code", `code=&state=${STATE}`],
    ["two codes", `code=c&code=d&state=${STATE}`],
    ["two errors", `error=a&error=b&state=${STATE}`],
    ["a token of the implicit flow", `access_token=x&token_type=bearer&state=${STATE}`],
    ["an ID token of the hybrid flow", `${good}&id_token=x`],
    ["a JWT response", `response=x.y.z&${good}`],
  ])("drops a response with %s [AZR-1]", async (_case, query) => {
    expect((await failureOf(validate(query))).code).toBe("invalid_authorization_response");
  });

  it.each<[string, string]>([
    ["parameters that it does not know", `${good}&session_state=x&scope=a&authuser=0&hd=h&x=1&x=2`],
    ["an empty error", `${good}&error=`],
    ["a long code", `code=${"c".repeat(16_384)}&state=${STATE}`],
    ["a code with special characters", `code=4%2F0A%2Bb%20%C3%A9&state=${STATE}`],
  ])("takes a response with %s [AZR-5]", async (_case, query) => {
    expect(await validate(query)).toBe(new URLSearchParams(query).get("code"));
  });

  it.each([
    ["access_denied", "authorization_denied"],
    ["consent_required", "authorization_denied"],
    ["login_required", "authorization_denied"],
    ["invalid_scope", "authorization_failed"],
    ["invalid_request", "authorization_failed"],
    ["unauthorized_client", "authorization_failed"],
    ["server_error", "authorization_failed"],
    ["temporarily_unavailable", "authorization_failed"],
    ["invalid_target", "authorization_failed"],
    ["x_unknown.code", "authorization_failed"],
  ])("gives the error %s as %s, with its own code [ERR-1] [RES-7]", async (oauthError, code) => {
    const error = await failureOf(validate(`error=${oauthError}&error_description=Because&state=${STATE}&code=c`));
    expect(error).toMatchObject({ code, oauthError, server: SERVER, issuer: ISSUER });
    expect(error.message).toContain(`"${oauthError}" ("Because")`);
  });

  it("shows error texts inert, short and quoted, and never the address [CHL-9]", async () => {
    const parameters = new URLSearchParams({
      error: `x\u001b[2J${"y".repeat(200)}`,
      error_description: `Call "555"\r\n\u202e now ${"z".repeat(5000)}`,
      error_uri: "https://planted.example",
      state: STATE,
    });
    const error = await failureOf(validate(parameters.toString()));
    expect(shown(error)).not.toMatch(/planted|\u001b\[2J|\u202e/);
    expect(error.message).toContain("Call '555' now");
    expect(error.message.length).toBeLessThan(700);
    expect(error.oauthError?.length).toBeLessThan(100);
  });
});
