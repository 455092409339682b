import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import {
  type PreRegisteredClient,
  preRegisteredClient,
  requirePreRegisteredClients,
} from "../../../src/registration/pre-registered.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { metadataAt } from "../../support/stage.ts";

const ISSUER = "https://as.example.com";

describe("pre-registered clients", () => {
  it.each<[string, Partial<PreRegisteredClient>, object, string]>([
    ["a public client", {}, {}, "none"],
    ["a secret where the server says nothing", { clientSecret: "s3cret" }, {}, "client_secret_basic"],
    [
      "a secret where the server takes both",
      { clientSecret: "s3cret" },
      { token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic"] },
      "client_secret_basic",
    ],
    [
      "a secret where the server takes only post",
      { clientSecret: "s3cret" },
      { token_endpoint_auth_methods_supported: ["none", "client_secret_post"] },
      "client_secret_post",
    ],
    [
      "a method that the host chose",
      { clientSecret: "s3cret", authenticationMethod: "client_secret_post" },
      { token_endpoint_auth_methods_supported: ["client_secret_basic"] },
      "client_secret_post",
    ],
  ])("are used as they are configured: %s [REG-3] [CA-2]", (_case, configured, metadata, method) => {
    const client = preRegisteredClient(
      [{ issuer: ISSUER, clientId: "id", ...configured }],
      metadataAt(ISSUER, { ...metadata }),
    );
    expect(client).toMatchObject({
      issuer: ISSUER,
      clientId: "id",
      how: "pre-registered",
      authenticationMethod: method,
    });
    expect(client?.clientSecret?.reveal()).toBe(configured.clientSecret);
  });

  it("take a secret in its wrapper too, and a redirect URI", () => {
    const clients = [
      { issuer: ISSUER, clientId: "id", clientSecret: new Secret("planted-1"), redirectUri: "http://localhost:5/cb" },
    ];
    const client = preRegisteredClient(clients, metadataAt(ISSUER));
    expect(client).toMatchObject({ redirectUris: ["http://localhost:5/cb"] });
    expect(shown(client)).not.toContain("planted");
  });

  it.each([`${ISSUER}/`, ISSUER.toUpperCase(), "https://as.example.com:443", "https://other.example.com"])(
    "belong to one issuer, letter for letter: not to %s [BIND-4]",
    (issuer) => {
      expect(preRegisteredClient([{ issuer: ISSUER, clientId: "id" }], metadataAt(issuer))).toBeUndefined();
    },
  );

  it.each<[string, object, string]>([
    ["no issuer", { issuer: undefined }, "issuer"],
    ["an issuer that is no URL", { issuer: "as" }, "issuer"],
    ["no client id", { clientId: undefined }, "clientId"],
    ["an empty client id", { clientId: "" }, "clientId"],
    ["an empty secret", { clientSecret: "" }, "clientSecret"],
    ["a method without its secret", { authenticationMethod: "client_secret_post" }, "needs a clientSecret"],
  ])("are refused with %s", async (_case, change, problem) => {
    const client = { issuer: ISSUER, clientId: "id", ...change } as PreRegisteredClient;
    const error = await failureOf(() => requirePreRegisteredClients([client]));
    expect(error.code).toBe("invalid_configuration");
    expect(error.message).toContain(problem);
  });
});
