import assert from "node:assert/strict";
import fc from "fast-check";
import { parseRetryAfter } from "../../../src/core/retry-after.ts";
import { Secret } from "../../../src/core/secret.ts";
import { requestDeviceAuthorization } from "../../../src/endpoint/device-authorization-request.ts";
import { sendAuthorized } from "../../../src/endpoint/resource-request.ts";
import { requestToken, type TokenResponse } from "../../../src/endpoint/token-request.ts";
import { type DynamicRegistrationRequest, registerDynamically } from "../../../src/registration/dynamic.ts";
import { clientAt, metadataAt, SERVER } from "../../support/stage.ts";
import { mutatedJson } from "../generate-json.ts";
import { asHeaderValue, hostilePieces, mutatedText } from "../generate-text.ts";
import { keepsToItsMembers } from "../planted.ts";
import { fuzzTarget, requireNoSecret } from "../target.ts";
import { answerWith, httpAnswering, type WrittenAnswer } from "./answers.ts";

const ISSUER = "https://as.example.com";
/** What we send; a server may say it back in any of its texts. */
const REFRESH_TOKEN = "planted-refresh-token";
const CLIENT_SECRET = "planted-client-secret";
/** What the server sends; where it says it in a text that is meant to be shown, we cannot know. */
const RECEIVED = ["planted-new-access", "planted-new-refresh", "planted-device-code", "planted-issued-secret"] as const;
const receivedIn = ({ body }: WrittenAnswer): readonly string[] => (keepsToItsMembers(body) ? RECEIVED : []);

function endpointOver(answer: WrittenAnswer) {
  return {
    ...httpAnswering(() => answer),
    server: SERVER,
    authorizationServer: metadataAt(ISSUER, { device_authorization_endpoint: `${ISSUER}/device` }),
    client: clientAt(ISSUER, { secret: CLIENT_SECRET, authenticationMethod: "client_secret_post" }),
  };
}

const refusals = (secret: string): object[] => [
  { error: "invalid_grant", error_description: `what was sent, ${secret}, is not known` },
  { error: "slow_down", error_uri: "https://as.example.com/help", interval: 10 },
];
const tokenDocument = fc.constantFrom<object>(
  { access_token: RECEIVED[0], token_type: "Bearer", expires_in: 3600, refresh_token: RECEIVED[1], scope: "a b" },
  { access_token: RECEIVED[0], token_type: "bearer", expires_in: "3600", refresh_token: null, id_token: "a.b.c" },
  ...refusals(REFRESH_TOKEN),
);
const names = [
  ...["access_token", "token_type", "expires_in", "refresh_token", "scope", "error", "error_description", "id_token"],
  ...["device_code", "user_code", "verification_uri", "verification_url", "verification_uri_complete", "interval"],
  ...["client_id", "client_secret", "client_secret_expires_at", "redirect_uris", "token_endpoint_auth_method"],
];
const json = (document: fc.Arbitrary<object>, echoes: readonly string[]): fc.Arbitrary<string> =>
  mutatedJson(document, { names, pieces: [...echoes, "DPoP", "https://evil.example"] });

/** The token goes on into a request, and arrives there as it is. */
async function requireSendable({ accessToken, tokenType }: TokenResponse): Promise<void> {
  let sent: string | null = null;
  const fetch = async (_url: unknown, init?: RequestInit): Promise<Response> => {
    sent = new Headers(init?.headers).get("authorization");
    return new Response();
  };
  await sendAuthorized(fetch, new URL(SERVER), {}, { accessToken, tokenType });
  assert.equal(sent, `Bearer ${accessToken.reveal()}`);
}

export const tokenResponse = fuzzTarget<WrittenAnswer>(
  "token response",
  answerWith(json(tokenDocument, [REFRESH_TOKEN, CLIENT_SECRET, encodeURIComponent(`"${REFRESH_TOKEN}"`)])),
  () => ({
    async read(answer) {
      const refreshToken = new Secret(REFRESH_TOKEN);
      const tokens = await requestToken(endpointOver(answer), {
        type: "refresh_token",
        parameters: { refresh_token: refreshToken.reveal() },
        secrets: [refreshToken],
      });
      const { accessToken, tokenType, expiresInSeconds, scope } = tokens;
      assert.ok(accessToken.reveal() !== "");
      assert.equal(tokenType, "Bearer");
      assert.ok(tokens.refreshToken === undefined || tokens.refreshToken.reveal() !== "");
      assert.ok(expiresInSeconds === undefined || (Number.isFinite(expiresInSeconds) && expiresInSeconds > 0));
      assert.ok(scope === undefined || typeof scope === "string");
      requireNoSecret(tokens, receivedIn(answer));
      await requireSendable(tokens);
      return tokens;
    },
    secretsIn: (answer) => [REFRESH_TOKEN, CLIENT_SECRET, ...receivedIn(answer)],
  }),
);

const deviceDocument = fc.constantFrom<object>(
  {
    device_code: RECEIVED[2],
    user_code: "ABCD-EFGH",
    verification_uri: "https://as.example.com/device",
    verification_uri_complete: "https://as.example.com/device?user_code=ABCD-EFGH",
    expires_in: 900,
    interval: 5,
  },
  { device_code: RECEIVED[2], user_code: "1234", verification_url: "https://as.example.com/device", expires_in: "60" },
  ...refusals(CLIENT_SECRET),
);

export const deviceAuthorization = fuzzTarget<WrittenAnswer>(
  "device authorization response",
  answerWith(json(deviceDocument, [])),
  () => ({
    async read(answer) {
      const device = await requestDeviceAuthorization(endpointOver(answer), { scope: "a" });
      assert.ok(device.deviceCode.reveal() !== "");
      assert.doesNotMatch(device.userCode, /[\p{Cc}\p{Cf}]/u);
      for (const url of [device.verificationUri, device.verificationUriComplete]) {
        if (url !== undefined) assert.match(url, /^(?:https:|http:\/\/(?:127\.|localhost|\[::1\]))/);
      }
      assert.ok(Number.isFinite(device.expiresInSeconds) && device.expiresInSeconds > 0);
      assert.ok(Number.isFinite(device.intervalSeconds) && device.intervalSeconds > 0);
      requireNoSecret(device, receivedIn(answer));
      return device;
    },
    secretsIn: (answer) => [CLIENT_SECRET, ...receivedIn(answer)],
  }),
);

const REDIRECT_URI = "http://127.0.0.1:4321/callback";
const registration: DynamicRegistrationRequest = { clientName: "Test", redirectUri: REDIRECT_URI };
const registrationDocument = fc.constantFrom<object>(
  { client_id: "c", redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: "none" },
  { client_id: "c", client_secret: RECEIVED[3], client_secret_expires_at: 0, registration_access_token: "planted-rat" },
  { error: "invalid_client_metadata" },
  { error: "invalid_redirect_uri", error_description: "no" },
);

export const registrationResponse = fuzzTarget<WrittenAnswer>(
  "client registration response",
  answerWith(json(registrationDocument, []), 201),
  () => ({
    async read(answer) {
      const client = await registerDynamically(endpointOver(answer), registration);
      assert.ok(client.clientId !== "");
      assert.ok(client.redirectUris?.every((uri) => typeof uri === "string"));
      assert.ok(client.secretExpiresAt === undefined || Number.isFinite(client.secretExpiresAt));
      requireNoSecret(client, receivedIn(answer));
      return client;
    },
    secretsIn: receivedIn,
  }),
);

const NOW = Date.UTC(2026, 7, 22, 12);
const DAY = 86_400_000;
const waits = fc.constantFrom("0", "5", "120", "Sat, 22 Aug 2026 12:00:10 GMT", "Saturday, 22-Aug-26 12:01:00 GMT");

export const retryAfter = fuzzTarget<string>(
  "Retry-After",
  fc.oneof(
    mutatedText(waits, [...hostilePieces, "9".repeat(400), "GMT", "1", ":", "-"]).map(asHeaderValue),
    fc.bigInt({ min: 0n, max: 10n ** 40n }).map(String),
  ),
  () => ({
    read(value) {
      const wait = parseRetryAfter(new Headers({ "retry-after": value }), NOW);
      assert.ok(wait === undefined || (wait >= 0 && wait <= DAY));
      if (/^\d+$/.test(value)) assert.equal(wait, Math.min(Number(value) * 1000, DAY));
      return wait;
    },
  }),
);
