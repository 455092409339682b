// Where no browser can be opened: the address is shown, and what the person pastes back races with the listener.
import type { AuthorizationPrompt, PromptForRedirect } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import { callbackOf, failure, startHost, startScripted } from "./support/harness.ts";

const noBrowser = (): Promise<never> => Promise.reject(new Error("no display"));

/** Opens the address on another machine, where nothing listens, and gives what stands in its address bar. */
async function addressBar(authorizationUrl: string): Promise<string> {
  const answer = await fetch(authorizationUrl, { redirect: "manual" });
  return answer.headers.get("location") ?? "";
}

interface Asked {
  readonly prompt: PromptForRedirect;
  readonly questions: AuthorizationPrompt[];
  readonly problems: (string | undefined)[];
}

/** A person who answers with one text after the other, and with the right address in the end. */
function personWhoPastes(...before: ((url: string) => string)[]): Asked {
  const questions: AuthorizationPrompt[] = [];
  const problems: (string | undefined)[] = [];
  const prompt: PromptForRedirect = async (question, problem) => {
    questions.push(question);
    problems.push(problem);
    const text = before[questions.length - 1];
    return text === undefined ? addressBar(question.authorizationUrl) : text(question.authorizationUrl);
  };
  return { prompt, questions, problems };
}

it("shows the address where no browser can be opened, and takes the pasted one", async () => {
  const server = await startScripted();
  const { prompt, questions } = personWhoPastes();
  const { tokens, told } = startHost({ openBrowser: noBrowser, prompt });
  expect((await tokens.get(server.mcpUrl)).issuer).toBe(server.issuer);
  expect(questions).toMatchObject([{ server: server.mcpUrl.href, authorizationServer: new URL(server.issuer).host }]);
  expect(new URL(questions[0]?.authorizationUrl ?? "").origin).toBe(server.url);
  expect(questions[0]?.signal.aborted).toBe(true);
  expect(told("token_issued")).toMatchObject([{ flow: "paste" }]);
});

for (const [name, form] of [
  ["only the query", (address: string) => new URL(address).search],
  ["the query without its question mark", (address: string) => new URL(address).search.slice(1)],
  ["the address with white space around", (address: string) => `\n  ${address}\t`],
  ["the address under another host", (address: string) => address.replace("127.0.0.1", "localhost")],
] as const) {
  it(`takes ${name}`, async () => {
    const server = await startScripted();
    const prompt: PromptForRedirect = async ({ authorizationUrl }) => form(await addressBar(authorizationUrl));
    const { tokens } = startHost({ openBrowser: noBrowser, prompt });
    expect((await tokens.signIn(server.mcpUrl)).issuer).toBe(server.issuer);
  });
}

it("takes the response on the listener while the prompt is open, and takes the prompt away", async () => {
  const server = await startScripted();
  const takenAway: unknown[] = [];
  const prompt: PromptForRedirect = ({ authorizationUrl, signal }) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        takenAway.push(authorizationUrl);
        resolve(undefined);
      });
      // The person opens it in a browser of this machine after all.
      void new UserAgent().open(authorizationUrl);
    });
  const { tokens, told } = startHost({ openBrowser: noBrowser, prompt });
  await tokens.signIn(server.mcpUrl);
  expect(takenAway).toHaveLength(1);
  expect(told("token_issued")).toMatchObject([{ flow: "browser" }]);
});

it("waits for the listener when the prompt can take nothing", async () => {
  const server = await startScripted();
  const prompt: PromptForRedirect = ({ authorizationUrl }) => {
    void new UserAgent().open(authorizationUrl);
  };
  const { tokens } = startHost({ openBrowser: noBrowser, prompt });
  expect((await tokens.signIn(server.mcpUrl)).issuer).toBe(server.issuer);
});

it("asks again, with the reason, for a text that is no address and for the address of another sign-in [STATE-1]", async () => {
  const server = await startScripted();
  const { prompt, problems } = personWhoPastes(
    () => "I do not know",
    (url) => callbackOf(new URL(url), { code: "c" }).href,
    (url) => callbackOf(new URL(url), { code: "c", state: "another" }).href,
    () => "",
  );
  const { tokens } = startHost({ openBrowser: noBrowser, prompt });
  await tokens.signIn(server.mcpUrl);
  expect(problems).toEqual([
    undefined,
    expect.stringContaining("code= and state="),
    expect.stringContaining("code= and state="),
    expect.stringContaining("another sign-in"),
    expect.stringContaining("code= and state="),
  ]);
  expect(server.log.count("POST", "/token")).toBe(1);
});

it("gives up after five useless texts", async () => {
  const server = await startScripted();
  const useless = Array.from({ length: 9 }, () => () => "no");
  const { prompt, questions } = personWhoPastes(...useless);
  const { tokens } = startHost({ openBrowser: noBrowser, prompt });
  await failure(tokens.signIn(server.mcpUrl), "invalid_authorization_response", server.mcpUrl);
  expect(questions).toHaveLength(5);
  expect(server.log.count("POST", "/token")).toBe(0);
});

it("checks a pasted address like any other response: issuer and error [ISS-2] [ISS-8]", async () => {
  const server = await startScripted();
  const paste =
    (change: Record<string, string>): PromptForRedirect =>
    async ({ authorizationUrl }) => {
      const address = new URL(await addressBar(authorizationUrl));
      for (const [name, value] of Object.entries(change)) address.searchParams.set(name, value);
      return address.href;
    };
  const forged = startHost({ openBrowser: noBrowser, prompt: paste({ iss: "https://evil.example" }) });
  await failure(forged.tokens.signIn(server.mcpUrl), "issuer_mismatch", server.mcpUrl);
  const denied = startHost({ openBrowser: noBrowser, prompt: paste({ error: "access_denied" }) });
  await failure(denied.tokens.signIn(server.mcpUrl), "authorization_denied", server.mcpUrl);
  expect(server.log.count("POST", "/token")).toBe(0);
});

it("never opens a browser in the flow paste", async () => {
  const server = await startScripted();
  const { prompt } = personWhoPastes();
  const host = startHost({ prompt });
  await host.tokens.signIn(server.mcpUrl, { flow: "paste" });
  expect(host.opened).toHaveLength(0);
  expect(host.told("sign_in_started")).toMatchObject([{ flow: "paste" }]);
});

it("says what is missing when the flow paste has no prompt", async () => {
  const server = await startScripted();
  const host = startHost();
  await failure(host.tokens.signIn(server.mcpUrl, { flow: "paste" }), "invalid_configuration");
  expect(host.opened).toHaveLength(0);
  expect(server.log.count("*", "/authorize")).toBe(0);
});

it("shows no prompt in the flow browser, and none where a browser opened", async () => {
  const server = await startScripted();
  const { prompt, questions } = personWhoPastes();
  const opening = startHost({ prompt });
  await opening.tokens.signIn(server.mcpUrl);
  const failing = startHost({ openBrowser: noBrowser, prompt });
  await failure(failing.tokens.signIn(server.mcpUrl, { flow: "browser" }), "browser_unavailable", server.mcpUrl);
  expect(questions).toHaveLength(0);
});

it("tells what a prompt throws", async () => {
  const server = await startScripted();
  const { tokens } = startHost({
    openBrowser: noBrowser,
    prompt: () => Promise.reject(new TypeError("the terminal is gone")),
  });
  await expect(tokens.signIn(server.mcpUrl)).rejects.toThrow("the terminal is gone");
});
