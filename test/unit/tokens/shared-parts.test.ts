import { expect, it } from "vitest";
import { compact } from "../../../src/core/compact.ts";
import { parseSession, serializeSession } from "../../../src/tokens/session-record.ts";
import { SharedParts } from "../../../src/tokens/shared-parts.ts";
import { credentialAt } from "../../support/stage.ts";

interface Part {
  readonly issuer: string;
  readonly text: string;
}

const newParts = (): SharedParts<Part> => new SharedParts(({ text }) => text);

it("gives one object for the same part of the same issuer", () => {
  const parts = newParts();
  const first = parts.of({ issuer: "https://a.example", text: "same" });
  expect(parts.of({ issuer: "https://a.example", text: "same" })).toBe(first);
});

it("keeps apart what differs, and what belongs to another issuer", () => {
  const parts = newParts();
  const first = parts.of({ issuer: "https://a.example", text: "same" });
  const other = { issuer: "https://b.example", text: "same" };
  expect(parts.of(other)).toBe(other);
  const changed = { issuer: "https://a.example", text: "changed" };
  expect(parts.of(changed)).toBe(changed);
  expect(parts.of({ issuer: "https://a.example", text: "same" })).not.toBe(first);
});

it("lets sessions that were read apart share their issuer's metadata and client, and nothing else", () => {
  const credential = credentialAt("https://as.example.com");
  const record = { server: "https://mcp.example.com/mcp", account: "default", activeIssuer: credential.issuer };
  const text = serializeSession({ ...record, credentials: { [credential.issuer]: credential } });
  const [one, two] = [parseSession(text, "memory"), parseSession(text, "memory")].map(
    ({ credentials }) => credentials[credential.issuer],
  );
  expect(one?.client).toBe(two?.client);
  expect(one?.authorizationServer).toBe(two?.authorizationServer);
  expect(one?.accessToken).not.toBe(two?.accessToken);
  expect(one?.accessToken.reveal()).toBe(two?.accessToken.reveal());
});

it("keeps every member of a credential that it makes compact", () => {
  const credential = credentialAt("https://as.example.com");
  expect(Object.keys(compact(credential))).toEqual(Object.keys(credential));
  const values = new Set(Object.values(compact(credential)));
  for (const value of Object.values(credential)) expect(values).toContain(value);
});
