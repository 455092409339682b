import type { TokenManager } from "mcp-oauth-client";
import type { Run } from "./context.ts";

/** Uses a protected server and gives what its tool answered. */
export type UseServer = (tokens: TokenManager, run: Run) => Promise<unknown>;

/** The ways to attach tokens, named as in ../ways.mjs; each loads only its SDK. */
export const ownWays: Record<string, () => Promise<UseServer>> = {
  raw: async () => (await import("./raw.ts")).useRaw,
  "v1-fetch": async () => {
    const { callToolWithV1 } = await import("./sdk-v1.ts");
    return (tokens, run) => callToolWithV1(run, { fetch: tokens.fetch(run.url) });
  },
  "v1-authProvider": async () => {
    const { callToolWithV1 } = await import("./sdk-v1.ts");
    return (tokens, run) => callToolWithV1(run, { authProvider: tokens.authProvider(run.url) });
  },
  "v2-fetch": async () => {
    const { callToolWithV2 } = await import("./sdk-v2.ts");
    return (tokens, run) => callToolWithV2(run, { fetch: tokens.fetch(run.url) });
  },
  "v2-authProvider": async () => {
    const { callToolWithV2 } = await import("./sdk-v2.ts");
    return (tokens, run) => callToolWithV2(run, { authProvider: tokens.authProvider(run.url) });
  },
  "v2-bearerProvider": async () => {
    const { callToolWithV2 } = await import("./sdk-v2.ts");
    return (tokens, run) => callToolWithV2(run, { authProvider: tokens.bearerProvider(run.url) });
  },
};

/** The official SDKs without this library. */
export const peers: Record<string, () => Promise<(run: Run) => Promise<unknown>>> = {
  "official-v1": async () => (await import("../peers/official-v1.ts")).useOfficialV1,
  "official-v2": async () => (await import("../peers/official-v2.ts")).useOfficialV2,
};
