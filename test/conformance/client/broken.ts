// What a careless client gets wrong, done here around the library: in src/ nothing can be turned off like this.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  loopbackReceiver,
  type RedirectArrival,
  type RedirectReceiver,
  type TokenManager,
  type TokenManagerOptions,
} from "mcp-oauth-client";
import { type BrowserOptions, browse } from "./browser.ts";
import type { UseServer } from "./ways.ts";

type Changes = Partial<TokenManagerOptions>;

export interface BrokenClient {
  readonly options?: Changes;
  /** Sees the token manager before it is used. */
  readonly watch?: (tokens: TokenManager) => void;
  /** What is done instead of using the server. */
  readonly useServer?: UseServer;
  /** What is done in the end. */
  readonly atEnd?: () => Promise<void>;
  readonly deadlineMs?: number;
}

const openWith = (options: BrowserOptions): Changes => ({ openBrowser: (url) => browse(url, options) });

/** Passes every authorization response on as one of the right issuer. */
function withoutIssCheck(): BrokenClient {
  let issuer = "";
  const receiver = loopbackReceiver();
  const trusting: RedirectReceiver = {
    async open(options) {
      const pending = await receiver.open(options);
      return {
        redirectUri: pending.redirectUri,
        close: () => pending.close(),
        async arrival(state, signal) {
          const arrival = await pending.arrival(state, signal);
          arrival.parameters.set("iss", issuer);
          return arrival;
        },
      };
    },
  };
  return {
    options: { redirectReceiver: trusting },
    watch: (tokens) => {
      tokens.on("authorization_server_selected", (event) => {
        issuer = event.issuer ?? "";
      });
    },
  };
}

/** Takes the first request of any kind for the response, whatever its state. */
const carelessReceiver: RedirectReceiver = {
  async open() {
    const server = createServer();
    const received = new Promise<RedirectArrival>((resolve) => {
      server.on("request", ({ url }, response) => {
        response.end("Thank you.");
        const { searchParams: parameters } = new URL(url ?? "", "http://127.0.0.1");
        resolve({ parameters, respond: async () => undefined });
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      redirectUri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
      async arrival(state) {
        const arrival = await received;
        arrival.parameters.set("state", state);
        return arrival;
      },
      async close() {
        server.closeAllConnections();
        server.close();
      },
    };
  },
};

/** Makes the metadata of an authorization server name the issuer that was expected. */
const fetchBlessedMetadata: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const { origin, pathname } = new URL(response.url);
  if (!pathname.startsWith("/.well-known/oauth-authorization-server") || !response.ok) return response;
  return Response.json({ ...((await response.json()) as object), issuer: origin });
};

/** Leaves the code verifier out of token requests. */
const fetchWithoutVerifier: typeof fetch = (input, init) => {
  const { body } = init ?? {};
  const parameters = new URLSearchParams(typeof body === "string" || body instanceof URLSearchParams ? body : "");
  if (!parameters.has("code_verifier")) return fetch(input, init);
  parameters.delete("code_verifier");
  return fetch(input, { ...init, body: parameters.toString() });
};

const forgetChallenge = (url: URL): void => {
  url.searchParams.delete("code_challenge");
  url.searchParams.delete("code_challenge_method");
};

const modes: Record<string, () => BrokenClient> = {
  "no-iss-check": withoutIssCheck,
  "no-metadata-issuer-check": () => ({ options: { fetch: fetchBlessedMetadata } }),
  "no-resource-check": () => ({ options: { acceptResource: () => true } }),
  "no-pkce-challenge": () => ({ options: openWith({ alter: forgetChallenge }) }),
  "no-pkce-verifier": () => ({ options: { fetch: fetchWithoutVerifier } }),
  "no-state": () => ({
    options: {
      redirectReceiver: carelessReceiver,
      ...openWith({ alter: (url) => url.searchParams.delete("state"), hostile: false }),
    },
  }),
  "no-state-check": () => ({ options: { redirectReceiver: carelessReceiver } }),
  "no-scope": () => ({ options: { narrowScope: () => [] } }),
  "does-nothing": () => ({ useServer: async () => "test" }),
  "exits-with-1": () => ({
    atEnd: async () => {
      throw new Error("something went wrong after all was done");
    },
  }),
  crashes: () => ({
    atEnd: async () => {
      process.kill(process.pid, "SIGKILL");
    },
  }),
  "never-ends": () => ({ atEnd: () => new Promise(() => setInterval(() => undefined, 1000)), deadlineMs: 3000 }),
};

/** The sabotage of a mode of ../broken.mjs; none without a mode. */
export function breakClient(mode: string | undefined): BrokenClient {
  if (mode === undefined) return {};
  const make = modes[mode];
  if (make === undefined) throw new Error(`no client is broken like this: ${mode}`);
  return make();
}
