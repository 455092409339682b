// Nothing secret is printed, emitted, thrown, or written to disk in the clear. A host in a process of its own prints all
// that it gets to see, at servers that answer with everything they were sent; then what it printed and wrote is searched.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RequestLog } from "../../servers/request-log.ts";
import type {
  RunningScriptedAuthorizationServer,
  ScriptedOverride,
} from "../../servers/scripted-authorization-server.ts";
import { withJson } from "../../servers/scripted-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { requires } from "../../support/requires.ts";
import { startSecretService } from "../../support/secret-service.ts";
import { bundleProgram, temporaryFolder } from "../../unit/stores/support/child.ts";
import { startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import type { LeakOrder, LeakSettings } from "./support/leak-program.ts";

const HOUR = 3_600_000;
let program: Awaited<ReturnType<typeof bundleProgram>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const started: ChildProcess[] = [];

beforeAll(async () => {
  program = await bundleProgram(new URL("./support/leak-program.ts", import.meta.url));
});
afterAll(() => program.remove());
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  await folder.remove();
});

interface LeakyHost {
  /** What came of it: `ok` or the code of an error. */
  do(order: LeakOrder): Promise<string>;
  leave(): Promise<void>;
  /** Everything that it printed so far. */
  printed(): string;
}

async function startLeakyHost(key: string | undefined, environment: NodeJS.ProcessEnv = {}): Promise<LeakyHost> {
  const home = join(folder.path, "home");
  await mkdir(home, { recursive: true });
  const settings: LeakSettings = { directory: join(folder.path, "store"), ...(key !== undefined && { key }) };
  const child = spawn(process.execPath, [program.path, JSON.stringify(settings)], {
    cwd: folder.path,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      TMPDIR: folder.path,
      XDG_STATE_HOME: home,
      NODE_DEBUG: "undici,fetch,http",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  started.push(child);
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (printed += chunk));
  child.on("message", (message: { opened?: string }) => {
    if (message.opened !== undefined) void new UserAgent().open(message.opened);
  });
  return {
    printed: () => printed,
    async do(order) {
      child.send(order);
      for (;;) {
        const [message] = (await once(child, "message")) as [{ outcome?: string }];
        if (message.outcome !== undefined) return message.outcome;
      }
    },
    async leave() {
      const ended = once(child, "close");
      child.send("leave");
      await ended;
    },
  };
}

/** Everything that servers were sent and that is a secret. */
function secretsIn(log: RequestLog): string[] {
  const names = ["code", "code_verifier", "refresh_token", "client_secret", "token", "client_assertion", "device_code"];
  return log.requests.flatMap(({ headers, body }) => {
    const form = new URLSearchParams(body);
    const [, scheme = "", credentials = ""] = /^(\w+) (.+)$/.exec(headers.authorization ?? "") ?? [];
    const basic = scheme === "Basic" ? Buffer.from(credentials, "base64").toString().split(":")[1] : undefined;
    return [credentials, basic, ...names.map((name) => form.get(name))].filter((each) => typeof each === "string");
  });
}

/** The secrets inside of what a store holds. */
function secretsInRecord(value: unknown, name = ""): string[] {
  const isSecret = /^(accessToken|refreshToken|clientSecret|registrationAccessToken)$/.test(name);
  if (typeof value === "string" && name === "dpopKey") return [value, (JSON.parse(value) as { d: string }).d];
  if (typeof value === "string") return isSecret ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => secretsInRecord(member, key));
}

async function secretsInStore(key: string): Promise<string[]> {
  const store = encryptedFileStore({ directory: join(folder.path, "store"), key });
  const records = await Promise.all((await store.keys()).map((name) => store.get(name)));
  return records.flatMap((record) => secretsInRecord(JSON.parse(record?.value ?? "null")));
}

/** The ways in which a secret may be written down. In base64 it begins at one of three places within a group. */
function spellingsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const inBase64 = [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=*$/, "")
      // What depends on the neighbours is left off.
      .slice(before === 0 ? 0 : 4, -2),
  );
  const urlSafe = inBase64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"));
  const escaped = JSON.stringify(secret).slice(1, -1);
  return [secret, encodeURIComponent(secret), escaped, bytes.toString("hex"), ...inBase64, ...urlSafe];
}

async function filesIn(path: string): Promise<{ name: string; content: string }[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(async (entry) => {
      const name = join(entry.parentPath, entry.name);
      return { name, content: await readFile(name, "latin1").catch(() => "") };
    }),
  );
}

/** Where secrets are found, by place. Canaries are at least eight characters: less would be found by chance. */
async function scan(host: LeakyHost, canaries: Iterable<string>): Promise<string[]> {
  const places = [{ name: "printed", content: host.printed() }, ...(await filesIn(folder.path))];
  const spellings = [...new Set(canaries)].filter((each) => each.length >= 8).flatMap(spellingsOf);
  return places
    .filter(({ name, content }) => spellings.some((spelling) => content.includes(spelling) || name.includes(spelling)))
    .map(({ name }) => name);
}

/** Says back everything that it was sent, in every place there is. */
const echoing =
  (status: number, error?: string): ScriptedOverride =>
  ({ form, headers }, _usual, { json }) => {
    const all = [...form.values(), headers.authorization].join(" ");
    const description = `${all} ${encodeURIComponent(all)}`;
    const wwwAuthenticate = `Bearer error="invalid_token", error_description="${all.replace(/[^\x21-\x7e ]/g, "")}"`;
    return json(
      { error: error ?? all, error_description: description, error_uri: `https://x/${all}`, token: all },
      status,
      {
        "www-authenticate": wwwAuthenticate,
      },
    );
  };

/** The whole life of a session at a server that talks too much; each step with what comes of it. */
async function liveThrough(
  host: LeakyHost,
  server: RunningScriptedAuthorizationServer,
  afterEachStep: () => Promise<void>,
): Promise<void> {
  const { options } = server;
  const url = server.mcpUrl.href;
  const leakyBody = (token: string): string => `{"access_token":"${token}","refresh_token":"${token}"`;
  let laterMs = 0;
  const expectOutcome = async (order: LeakOrder, outcome: string): Promise<void> => {
    expect(await host.do(order), `${order.do} after ${laterMs / HOUR} h`).toBe(outcome);
    await afterEachStep();
  };
  const expired = (): { server: string; laterMs: number } => {
    laterMs += 2 * HOUR;
    return { server: url, laterMs };
  };

  await expectOutcome({ do: "sign in", server: url }, "ok");
  await expectOutcome({ do: "request", server: url }, "ok");
  await expectOutcome({ do: "status", server: url }, "ok");
  await expectOutcome({ do: "request", ...expired() }, "ok");
  // Refreshes that fail in every way.
  const refreshes: [token: ScriptedOverride, outcome: string][] = [
    [echoing(400), "refresh_failed"],
    [echoing(500), "refresh_failed"],
    [echoing(400, "unauthorized_client"), "refresh_failed"],
    [({ form }, _usual, { text }) => text(leakyBody(form.get("refresh_token") ?? ""), 200), "refresh_failed"],
    [({ form }, _usual, { html }) => html(`<p>${form.get("refresh_token")}`, 502), "refresh_failed"],
    [(_request, _usual, { redirect }) => redirect("https://elsewhere.example/?leak"), "refresh_failed"],
    // This one has rotated without giving a token, so that a sign-in follows, with the same answer.
    [async (_request, usual) => withJson(await usual(), { access_token: 5 }), "invalid_response"],
  ];
  for (const [token, outcome] of refreshes) {
    options.token = token;
    await expectOutcome({ do: "get", ...expired() }, outcome);
    options.token = undefined as never;
    await expectOutcome({ do: "sign in", server: url }, "ok");
  }
  // The resource refuses, and says what.
  options.mcp = echoing(401);
  await expectOutcome({ do: "request", server: url }, "token_rejected");
  options.mcp = undefined as never;
  // Sign-ins that fail after the code came.
  options.token = echoing(400, "invalid_grant");
  await expectOutcome({ do: "sign in", server: url, account: "other" }, "token_request_failed");
  options.token = undefined as never;
  // The session ends.
  options.token = echoing(400, "invalid_grant");
  await expectOutcome({ do: "request", ...expired() }, "token_request_failed");
  options.token = undefined as never;
  await expectOutcome({ do: "sign in", server: url }, "ok");
  options.revoke = echoing(400, "invalid_request");
  await expectOutcome({ do: "sign out", server: url }, "ok");
}

const registering: ScriptedOverride = async (_request, usual, { url }) =>
  withJson(await usual(), {
    client_secret: `canary-secret-${randomBytes(9).toString("hex")}`,
    client_secret_expires_at: 0,
    registration_access_token: `canary-registration-${randomBytes(9).toString("hex")}`,
    registration_client_uri: `${url}/manage`,
  });

function startTalkative(): Promise<RunningScriptedAuthorizationServer> {
  return startScripted({
    metadata: { token_endpoint_auth_methods_supported: ["client_secret_basic"] },
    register: registering,
    routes: { "DELETE /manage": (request, helpers) => echoing(403)(request, async () => helpers.text(""), helpers) },
  });
}

/** All secrets that a scripted server ever gave or got; tokens that it used up are in the log of what came back. */
function secretsOf(server: RunningScriptedAuthorizationServer): string[] {
  return [...secretsIn(server.log), ...server.accessTokens.keys(), ...server.refreshTokens.keys()];
}

describe("a scan of what is printed, emitted, thrown and written", () => {
  it("finds no token, code, verifier, secret or key in a whole life with encrypted files [REF-1] [TOK-6]", async () => {
    const key = randomBytes(32).toString("base64");
    const host = await startLeakyHost(key);
    const server = await startTalkative();
    const canaries = new Set([key]);
    await liveThrough(host, server, async () => {
      for (const secret of [...secretsOf(server), ...(await secretsInStore(key))]) canaries.add(secret);
      expect(await scan(host, canaries)).toEqual([]);
    });
    await host.do({ do: "sign in", server: server.mcpUrl.href });
    await host.do({ do: "read with another key" });
    await host.leave();
    expect(host.printed()).toContain("store_unreadable");
    // The debug log and the tracer were listening.
    expect(host.printed()).toMatch(/(FETCH|UNDICI) \d+: sending request to POST/);
    expect(host.printed()).toContain(`traced POST ${server.url}/token`);
    // There was much to find, of every kind.
    expect(canaries.size).toBeGreaterThan(40);
    for (const kind of ["code", "code_verifier", "refresh_token", "token"]) {
      expect(server.log.requests.some(({ body }) => new URLSearchParams(body).has(kind))).toBe(true);
    }
    expect([...canaries].filter((each) => each.startsWith("canary-registration-")).length).toBeGreaterThan(0);
    expect([...canaries].filter((each) => each.startsWith("canary-secret-")).length).toBeGreaterThan(0);
    expect(host.printed().length).toBeGreaterThan(50_000);
    expect(await scan(host, canaries)).toEqual([]);
  });

  it("finds no key of a bound session, nor its tokens [REF-1] [TOK-6]", async () => {
    const key = randomBytes(32).toString("base64");
    const host = await startLeakyHost(key);
    const { as, mcp } = await startPair({ features: { dpop: true } }, { dpop: "required" });
    for (const order of [
      { do: "sign in" as const },
      { do: "request" as const },
      { do: "get" as const, laterMs: 2 * HOUR },
      { do: "status" as const },
    ]) {
      expect(await host.do({ ...order, server: mcp.url.href })).toBe("ok");
    }
    const canaries = [...secretsIn(as.log), ...secretsIn(mcp.log), ...(await secretsInStore(key))];
    expect(canaries.some((each) => each.includes('"d":'))).toBe(true);
    expect(await scan(host, canaries)).toEqual([]);
    expect(await host.do({ do: "sign out", server: mcp.url.href })).toBe("ok");
    await host.leave();
    expect(await scan(host, canaries)).toEqual([]);
  });

  it.runIf(requires("secret-service"))("finds nothing beside the keychain [REF-1]", async () => {
    const service = await startSecretService();
    try {
      const host = await startLeakyHost(undefined, service.env);
      const server = await startTalkative();
      const canaries = new Set<string>();
      await liveThrough(host, server, async () => {
        for (const secret of secretsOf(server)) canaries.add(secret);
        expect(await scan(host, canaries)).toEqual([]);
      });
      await host.leave();
      expect(canaries.size).toBeGreaterThan(40);
      expect(await scan(host, canaries)).toEqual([]);
    } finally {
      await service.stop();
    }
  });

  it.each(["stdout", "stderr", "disk", "base64"] as const)("finds a leak that is planted: %s", async (where) => {
    const key = randomBytes(32).toString("base64");
    const host = await startLeakyHost(key);
    const server = await startTalkative();
    await host.do({ do: "sign in", server: server.mcpUrl.href });
    expect(await scan(host, secretsOf(server))).toEqual([]);
    await host.do({ do: "leak", where, server: server.mcpUrl.href });
    await host.leave();
    const found = await scan(host, secretsOf(server));
    expect(found).toEqual([where === "disk" ? join(folder.path, "store", "debug.log") : "printed"]);
  });
});
