import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { chooseSecretMethod, isKnownMethod } from "../../../src/endpoint/client-authentication.ts";
import { anonymousClient, type OAuthClient } from "../../../src/endpoint/oauth-client.ts";
import type { PrivateKeyInput } from "../../../src/endpoint/private-key.ts";
import { revokeToken } from "../../../src/endpoint/revocation-request.ts";
import { requestToken } from "../../../src/endpoint/token-request.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { clientAt, closingAfterEach, endpointAt } from "../../support/stage.ts";

const closing = closingAfterEach();

/** What a token request of a client looks like on the wire. */
async function sentBy(changes: Partial<OAuthClient> & { secret?: string }) {
  const server = await closing(
    startScriptedServer({ "*": (_, { json }) => json({ access_token: "a", token_type: "Bearer" }) }),
  );
  const context = endpointAt(server.url, { client: clientAt(server.url, changes) });
  await requestToken(context, { type: "refresh_token", parameters: { refresh_token: "r" }, secrets: [] });
  const request = server.log.requests[0]!;
  return {
    authorization: request.headers.authorization,
    form: new URLSearchParams(request.body),
    query: request.query,
  };
}

/** Credentials as a server decodes them by RFC 6749 section 2.3.1. */
function decoded(authorization: string | undefined): string[] {
  const text = Buffer.from(authorization?.replace("Basic ", "") ?? "", "base64").toString("latin1");
  return text.split(":").map((part) => decodeURIComponent(part.replaceAll("+", " ")));
}

describe("client authentication", () => {
  it.each<[string[] | undefined, string]>([
    [undefined, "client_secret_basic"],
    [["client_secret_post", "client_secret_basic"], "client_secret_basic"],
    [["client_secret_post"], "client_secret_post"],
    [["none", "client_secret_post"], "client_secret_post"],
    [["private_key_jwt", "client_secret_jwt"], "client_secret_basic"],
    [["CLIENT_SECRET_POST"], "client_secret_basic"],
  ])("with a secret, where the server takes %j, is %s [CA-2] [ASM-8]", (supported, method) => {
    expect(chooseSecretMethod(supported)).toBe(method);
  });

  it("knows what it can do", () => {
    expect(
      ["none", "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", ""].filter(
        isKnownMethod,
      ),
    ).toHaveLength(4);
  });

  it("of a public client is its id, in the body [CA-1] [CA-4]", async () => {
    const { authorization, form, query } = await sentBy({ authenticationMethod: "none" });
    expect([authorization, form.get("client_id"), form.get("client_secret"), query.size]).toEqual([
      undefined,
      "client",
      null,
      0,
    ]);
  });

  it("of a public client whose server forced a secret on it is still its id alone [CA-1]", async () => {
    const { authorization, form } = await sentBy({ authenticationMethod: "none", secret: "s3cret" });
    expect([authorization, form.has("client_secret")]).toEqual([undefined, false]);
  });

  it("by post is in the body alone [CA-1] [CA-4]", async () => {
    const { authorization, form, query } = await sentBy({
      authenticationMethod: "client_secret_post",
      secret: "s/e+c:r e%t",
    });
    expect([authorization, form.getAll("client_id"), form.getAll("client_secret"), query.size]).toEqual([
      undefined,
      ["client"],
      ["s/e+c:r e%t"],
      0,
    ]);
  });

  it.each([
    ["client", "secret"],
    ["a:b%+ü", "s:e%+c é~!*'()"],
    ["https://app.example.com/client.json", "with space"],
    ["4f1e2c3a-0b1d-4c5e-8f90-123456789abc", "a_b.c-d"],
    ["東京", "🙂"],
  ])("by Basic is form-encoded, in the header alone: %s [CA-1] [CA-3]", async (clientId, secret) => {
    const { authorization, form } = await sentBy({ clientId, secret });
    expect(decoded(authorization)).toEqual([clientId, secret]);
    expect([form.has("client_secret"), form.has("client_id")]).toEqual([false, false]);
  });

  it("by Basic leaves alone what the encoding leaves alone, for servers that do not decode [CA-3]", async () => {
    const { authorization } = await sentBy({ clientId: "4f1e2c3a-0b1d_x.y", secret: "a-b_c.d*e" });
    expect(Buffer.from(authorization!.slice(6), "base64").toString()).toBe("4f1e2c3a-0b1d_x.y:a-b_c.d*e");
  });

  it("sends nothing for no client, with a grant and with a revocation [WIF-3]", async () => {
    const server = await closing(
      startScriptedServer({
        "POST /token": (_, { json }) => json({ access_token: "a", token_type: "Bearer" }),
        "POST /revoke": (_, { json }) => json({}),
      }),
    );
    const context = endpointAt(server.url, { client: anonymousClient(server.url) });
    const tokens = await requestToken(context, { type: "urn:any", parameters: {}, secrets: [] });
    await revokeToken(context, tokens.accessToken, "access_token");
    const sent = server.log.requests.map(({ headers, body }) => [headers.authorization, body]);
    expect(sent).toEqual([
      [undefined, "grant_type=urn%3Aany"],
      [undefined, "token_type_hint=access_token&token=a"],
    ]);
  });

  it.each<Partial<OAuthClient>>([
    { authenticationMethod: "client_secret_basic" },
    { authenticationMethod: "client_secret_post" },
    { authenticationMethod: "private_key_jwt" },
  ])("says what is missing for %j, and sends nothing", async (changes) => {
    const server = await closing(startScriptedServer());
    const context = endpointAt(server.url, { client: clientAt(server.url, changes) });
    const error = await failureOf(requestToken(context, { type: "refresh_token", parameters: {}, secrets: [] }));
    expect(error).toMatchObject({ code: "invalid_configuration", issuer: server.url });
    expect(server.log.requests).toEqual([]);
  });

  it.each(["EdDSA", "Ed25519"])("by a key names its algorithm as the key does: %s", async (alg) => {
    const key = { ...generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }), alg };
    const { form } = await sentBy({ authenticationMethod: "private_key_jwt", privateKey: { key } });
    const [header = ""] = form.get("client_assertion")?.split(".") ?? [];
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({ alg, typ: "client-authentication+jwt" });
  });

  const ecdsa = { name: "ECDSA", namedCurve: "P-256" };
  const rsa = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]) };
  const shortRsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  const newPair = (algorithm: object, usages: KeyUsage[] = ["sign", "verify"]): Promise<CryptoKeyPair> =>
    crypto.subtle.generateKey(algorithm as EcKeyGenParams, false, usages);
  it.each<[string, () => Promise<PrivateKeyInput>, RegExp]>([
    ["a public key", async () => ({ key: (await newPair(ecdsa)).publicKey }), /public key; give the private one/],
    [
      "one that may not sign",
      async () => ({ key: (await newPair({ ...ecdsa, name: "ECDH" }, ["deriveBits"])).privateKey }),
      /may not sign/,
    ],
    [
      "one of an algorithm that nobody takes",
      async () => ({ key: (await newPair({ ...rsa, modulusLength: 2048, hash: "SHA-1" })).privateKey }),
      /"RS1"/,
    ],
    [
      "one that signs with another algorithm",
      async () => ({ key: (await newPair(ecdsa)).privateKey, algorithm: "ES384" }),
      /signs with ES256, not with ES384/,
    ],
    [
      "a short RSA key",
      async () => ({ key: (await newPair({ ...rsa, modulusLength: 1024 })).privateKey }),
      /1024 bits.*2048/,
    ],
    [
      "a short RSA key in a JWK",
      async () => ({ key: { ...shortRsa.export({ format: "jwk" }), alg: "PS256" } }),
      /1024 bits.*2048/,
    ],
    [
      "a short RSA key in PEM",
      async () => ({ key: shortRsa.export({ type: "pkcs8", format: "pem" }).toString(), algorithm: "RS256" }),
      /1024 bits.*2048/,
    ],
  ])("by %s is refused here, before anything is sent", async (_title, keyOf, message) => {
    const server = await closing(startScriptedServer());
    const changes = { authenticationMethod: "private_key_jwt", privateKey: await keyOf() } as const;
    const context = endpointAt(server.url, { client: clientAt(server.url, changes) });
    const error = await failureOf(requestToken(context, { type: "refresh_token", parameters: {}, secrets: [] }));
    expect(error).toMatchObject({ code: "invalid_configuration", message: expect.stringMatching(message) });
    expect(server.log.requests).toEqual([]);
  });

  it("does not show the secret, even when the server echoes the whole request [ERR-2]", async () => {
    const server = await closing(
      startScriptedServer({
        "*": ({ headers, body }, { json }) =>
          json({ error: "invalid_client", error_description: `Refused: ${headers.authorization} ${body}` }, 401),
      }),
    );
    for (const authenticationMethod of ["client_secret_basic", "client_secret_post"] as const) {
      const client = clientAt(server.url, { secret: "planted secret/1", authenticationMethod });
      const grant = { type: "refresh_token", parameters: { refresh_token: "r" }, secrets: [] };
      const error = await failureOf(requestToken(endpointAt(server.url, { client }), grant));
      expect(error).toMatchObject({ code: "token_request_failed", oauthError: "invalid_client", status: 401 });
      expect(shown([error, client])).not.toContain("planted");
      expect(shown(error)).not.toContain(Buffer.from("client:planted+secret%2F1").toString("base64"));
    }
  });
});
