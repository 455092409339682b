import { describe, expect, it } from "vitest";
import {
  metadataDocumentClient,
  requireClientMetadataUrl,
} from "../../../src/registration/client-metadata-document.ts";
import { failureOf } from "../../support/failure.ts";
import { metadataAt } from "../../support/stage.ts";

const URL_OF_DOCUMENT = "https://app.example.com/oauth/client.json";

describe("client ID metadata documents", () => {
  it.each([
    URL_OF_DOCUMENT,
    "https://app.example.com/c",
    "https://app.example.com:8443/c",
    "https://app.example.com/c?v=1",
    "https://app.example.com/a/.well-known/c",
    "https://app.example.com/a..b/c",
  ])("may live at %s [CIMD-1]", (url) => {
    expect(() => requireClientMetadataUrl(url)).not.toThrow();
  });

  it.each([
    ["http://app.example.com/c", "https"],
    ["http://localhost/c", "https"],
    ["https://app.example.com", "path"],
    ["https://app.example.com/", "path"],
    ["https://app.example.com/c#x", "fragment"],
    ["https://app.example.com/c#", "fragment"],
    ["https://user@app.example.com/c", "user name"],
    ["https://user:pw@app.example.com/c", "user name"],
    ["https://app.example.com/a/../c", "dot segments"],
    ["https://app.example.com/./c", "dot segments"],
    ["https://app.example.com/a/b/..", "dot segments"],
    ["https://app.example.com/%2e%2E/c", "dot segments"],
    ["https://app.example.com/.%2e/c", "dot segments"],
    ["https://APP.example.com/c", "normal form"],
    ["https://app.example.com:443/c", "normal form"],
    ["https://app.example.com/c d", "normal form"],
    [" https://app.example.com/c", "normal form"],
    ["app.example.com/c", "not a URL"],
    ["", "not a URL"],
    ["urn:client:1", "https"],
  ])("may not live at %j: %s [CIMD-1]", async (url, problem) => {
    const error = await failureOf(() => requireClientMetadataUrl(url));
    expect(error.code).toBe("invalid_configuration");
    expect(error.message).toContain(problem);
  });

  it.each<[unknown, boolean]>([
    [true, true],
    [false, false],
    [undefined, false],
    ["true", false],
    [1, false],
    [null, false],
  ])("are used where the server says that it takes them: %j [REG-4]", (supported, used) => {
    const metadata = metadataAt("https://as", { client_id_metadata_document_supported: supported });
    expect(metadataDocumentClient(URL_OF_DOCUMENT, metadata) !== undefined).toBe(used);
    expect(metadataDocumentClient(undefined, metadata)).toBeUndefined();
  });

  it("make a public client whose id is the address, bound to the issuer", () => {
    const metadata = metadataAt("https://as", { client_id_metadata_document_supported: true });
    expect(metadataDocumentClient(URL_OF_DOCUMENT, metadata)).toEqual({
      issuer: "https://as",
      clientId: URL_OF_DOCUMENT,
      how: "metadata-document",
      authenticationMethod: "none",
    });
  });
});
