import { PassThrough } from "node:stream";
import { terminalDevicePrompt, terminalPrompt } from "mcp-oauth-client";
import { describe, expect } from "vitest";
import { withLocationQuery } from "../../servers/scripted-server.ts";
import { failure } from "../flow/support/harness.ts";
import { DEVICE_GRANT } from "../grants/support/device-server.ts";
import { type ShownTextCase, shownTextCases, textCases } from "./cases/text.ts";
import { hostile } from "./support/case.ts";
import { runSignIn, type SignInCase, startParties } from "./support/sign-in.ts";

/** What a terminal acts on, or nobody sees. */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u;
const LONGEST_MESSAGE = 800;

/** An error whose message, code and names are one inert, short line. */
async function runText(each: SignInCase): Promise<void> {
  await runSignIn({
    ...each,
    check: (parties, error) => {
      for (const text of [error?.message, error?.oauthError, error?.issuer, error?.server])
        expect(text ?? "").not.toMatch(ACTIVE);
      expect(error?.message.length).toBeLessThan(LONGEST_MESSAGE);
      return each.check?.(parties, error);
    },
  });
}

async function stepUp({ text: scope }: ShownTextCase): Promise<void> {
  let asked = 0;
  const { server, host } = await startParties({
    mcp: (request, usual, { text }) =>
      request.headers.authorization === undefined
        ? usual()
        : text("", 403, { "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}${++asked}"` }),
  });
  const error = await failure(host.tokens.fetch(server.mcpUrl)(server.mcpUrl), "insufficient_scope");
  expect(error.message).not.toMatch(ACTIVE);
  expect(error.message).toContain("more");
}

async function deviceCode({ text: userCode }: ShownTextCase): Promise<void> {
  const shown: string[] = [];
  const { server, host } = await startParties(
    ({ own }) => ({
      metadata: { device_authorization_endpoint: `${own}/d`, grant_types_supported: [DEVICE_GRANT] },
      routes: {
        "POST /d": (_request, { json }) =>
          json({ device_code: "d", user_code: userCode, verification_uri: `${own}/activate`, expires_in: 60 }),
      },
    }),
    {
      devicePrompt: (signIn) => {
        shown.push(signIn.userCode);
        throw new Error("seen");
      },
    },
  );
  await host.tokens.signIn(server.mcpUrl, { flow: "device" }).catch(() => undefined);
  expect(shown).toHaveLength(1);
  expect(shown[0]).toMatch(/^ABCD/);
  expect(shown[0]).not.toMatch(ACTIVE);
}

const url = "https://as.example.com/authorize";
const { signal } = new AbortController();

function expectPlain(output: PassThrough, begins: RegExp): void {
  const lines = String(output.read()).split("\n");
  expect(lines.some((line) => begins.test(line))).toBe(true);
  for (const line of lines) expect(line).not.toMatch(ACTIVE);
  expect(lines.some((line) => line.startsWith("2026"))).toBe(false);
}

async function terminal({ text }: ShownTextCase): Promise<void> {
  const output = new PassThrough();
  const prompt = { authorizationUrl: url, server: text, authorizationServer: text, signal };
  await terminalPrompt({ output, interactive: false })(prompt);
  expectPlain(output, /through +mcp/);
}

async function deviceTerminal({ text }: ShownTextCase): Promise<void> {
  const output = new PassThrough();
  const names = { server: text, authorizationServer: text, clientName: text, userCode: text };
  await terminalDevicePrompt({ output, qrCode: false })({ ...names, verificationUri: url, expiresAt: 0, signal });
  expectPlain(output, /enter this code: +ABCD/);
}

async function page({ text: description }: ShownTextCase): Promise<void> {
  const { server, host } = await startParties({
    authorize: async (_request, usual) =>
      withLocationQuery(await usual(), { code: undefined, error: "server_error", error_description: description }),
  });
  await failure(host.tokens.signIn(server.mcpUrl), "authorization_failed");
  const shown = await host.pages[0];
  expect(shown?.body).toContain("did not work");
  expect(shown?.body).not.toMatch(/<img|alert|refused|server_error/);
}

const places: Record<ShownTextCase["where"], (each: ShownTextCase) => Promise<void>> = {
  "step-up": stepUp,
  "device code": deviceCode,
  terminal,
  "device terminal": deviceTerminal,
  page,
};

describe("words that a server chose", () => {
  hostile(textCases, runText);
  hostile(shownTextCases, (each) => places[each.where](each));
});
