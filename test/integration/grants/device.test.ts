// Sign-ins on another device (RFC 8628), with the times between the polls.
import { type DeviceSignIn, McpOAuthError, memoryStore } from "mcp-oauth-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { startBetterAuthServer } from "../../servers/better-auth-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { shown } from "../../support/failure.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { closing, failure, type HostOptions, startHost, startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { DEVICE_CODE, DEVICE_GRANT, type PollAnswer, startDeviceServer, tokensGiven } from "./support/device-server.ts";
import { patient, WaitingClock } from "./support/waiting-clock.ts";

afterEach(() => {
  vi.useRealTimers();
});

const noBrowser = (): Promise<never> => Promise.reject(new McpOAuthError("browser_unavailable", "none here"));

/** A host with a device prompt that keeps what it was shown. */
function startDeviceHost<Kind extends ManualClock = WaitingClock>(options: HostOptions & { clock?: Kind } = {}) {
  const prompts: DeviceSignIn[] = [];
  const devicePrompt = (signIn: DeviceSignIn): void => void prompts.push(signIn);
  const clock = options.clock ?? (new WaitingClock() as ManualClock as Kind);
  return { ...startHost({ devicePrompt, ...patient, ...options, clock }), prompts, clock };
}

/** Signs in at a scripted server and gives the times between the polls, in seconds. */
async function secondsBetweenPolls(polls: readonly PollAnswer[], device: Record<string, unknown> = {}) {
  const server = await startDeviceServer({ polls, device });
  const clock = new WaitingClock();
  const { tokens } = startDeviceHost({ clock });
  await tokens.signIn(server.mcpUrl, { flow: "device" });
  expect(server.log.count("POST", "/token")).toBe(clock.waits.length);
  return clock.waits.map((ms) => ms / 1000);
}

describe("with oidc-provider", () => {
  it("is chosen by itself where no browser can be opened, for the same resource and scope as any sign-in [DEV-1] [DEV-2] [DEV-8]", async () => {
    const { as, mcp } = await startPair({ features: { deviceFlow: true } });
    let entered: Promise<unknown> | undefined;
    // The person is slow: the first two polls come before the code is entered.
    const clock = new WaitingClock((count) => (count === 3 ? enter() : undefined));
    const host = startDeviceHost({ clock, openBrowser: noBrowser });
    const enter = async (): Promise<void> => {
      const [signIn] = host.prompts;
      entered = new UserAgent().enterUserCode(signIn?.verificationUri ?? "", signIn?.userCode ?? "");
      await entered;
    };
    const { scope, tokenType } = await host.tokens.get(mcp.url);
    expect({ scope, tokenType }).toEqual({ scope: "mcp:tools", tokenType: "Bearer" });
    expect(clock.waits).toEqual([5000, 5000, 5000]);
    const [asked] = as.log
      .find("POST", "/device/auth")
      .map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
    expect(asked).toEqual({ client_id: expect.any(String), resource: mcp.resource, scope: "mcp:tools offline_access" });
    const polls = as.log.find("POST", "/token").map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
    expect(polls).toHaveLength(3);
    for (const poll of polls) {
      expect(poll).toEqual({
        grant_type: DEVICE_GRANT,
        client_id: asked?.client_id,
        device_code: expect.any(String),
        resource: mcp.resource,
      });
    }
    expect(host.told("sign_in_started").map(({ flow }) => flow)).toContain("device");
    expect(host.told("token_issued")).toMatchObject([{ flow: "device", refreshable: true }]);
  });

  it("registers the device grant only for a client that signs in so, and the session is refreshed like any other [DEV-8] [CIMD-6]", async () => {
    const { as, mcp } = await startPair({ features: { deviceFlow: true } });
    const agent = new UserAgent();
    const host = startHost({ openBrowser: noBrowser, clock: new WaitingClock(), ...patient });
    // A host that cannot show a code never asks for one.
    await failure(host.tokens.get(mcp.url), "browser_unavailable");
    const shows = startDeviceHost({
      devicePrompt: ({ verificationUri, userCode }) => agent.enterUserCode(verificationUri, userCode),
    });
    await shows.tokens.signIn(mcp.url, { flow: "device" });
    const registered = as.log.find("POST", "/reg").map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(registered.map(({ grant_types }) => grant_types)).toEqual([
      ["authorization_code", "refresh_token"],
      [DEVICE_GRANT, "refresh_token"],
    ]);
    expect(registered[1]).toMatchObject({ redirect_uris: [], response_types: [], application_type: "native" });
    const before = (await shows.tokens.get(mcp.url)).accessToken.reveal();
    shows.clock.advance(3_600_000);
    const after = (await shows.tokens.get(mcp.url)).accessToken.reveal();
    expect(after).not.toBe(before);
    const [refresh] = as.log.find("POST", "/token").slice(-1);
    expect(new URLSearchParams(refresh?.body).get("grant_type")).toBe("refresh_token");
  });

  it("says so when the person denies it, and asks no more [DEV-5]", async () => {
    const { as, mcp } = await startPair({ features: { deviceFlow: true } });
    const host = startDeviceHost({
      clock: new WaitingClock(() => entered),
      devicePrompt: ({ verificationUri, userCode }) => {
        entered = new UserAgent({ deny: true }).enterUserCode(verificationUri, userCode);
      },
    });
    let entered: Promise<unknown> | undefined;
    const error = await failure(host.tokens.signIn(mcp.url, { flow: "device" }), "authorization_denied", mcp.url);
    expect(error).toMatchObject({ oauthError: "access_denied", issuer: as.issuer });
    expect(as.log.count("POST", "/token")).toBe(1);
  });
});

describe("with better-auth", () => {
  it("slows down when the server says so, and stays slow [DEV-3] [DEV-4]", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const server = closing(await startBetterAuthServer({ deviceIntervalSeconds: 4 }));
    const host = startDeviceHost({
      clock: new WaitingClock(async (count) => {
        // The server's clock, which stands still between the first two polls: the second comes too early.
        if (count > 2) vi.setSystemTime(Date.now() + 4000);
        if (count === 5)
          await new UserAgent().enterUserCode(host.prompts[0]!.verificationUri, host.prompts[0]!.userCode);
      }),
    });
    await host.tokens.signIn(server.url, { flow: "device" });
    expect(host.clock.waits).toEqual([4000, 4000, 9000, 9000, 9000]);
    const errors = server.log.find("POST", /token$/).map(({ status }) => status);
    expect(errors).toEqual([400, 400, 400, 400, 200]);
  });
});

describe("the time between polls", () => {
  it.each<[string, Record<string, unknown>, number]>([
    ["what the server says", { interval: 7 }, 7],
    ["what the server says as a text", { interval: "7" }, 7],
    ["five seconds where it says nothing", { interval: undefined }, 5],
    ["five seconds where it says nothing usable", { interval: "soon" }, 5],
    ["five seconds for zero", { interval: 0 }, 5],
    ["however much the server says", { interval: 300 }, 300],
  ])("is %s [DEV-3]", async (_name, device, seconds) => {
    expect(await secondsBetweenPolls(["authorization_pending", tokensGiven], device)).toEqual([seconds, seconds]);
  });

  it("grows by five seconds with each slow_down, for all later polls, and goes on while it is pending [DEV-4]", async () => {
    const polls = ["authorization_pending", "slow_down", "authorization_pending", "slow_down", tokensGiven];
    expect(await secondsBetweenPolls(polls)).toEqual([5, 5, 10, 10, 15]);
  });

  const retryAfter = (status: number, error: string | undefined, seconds: string): PollAnswer => {
    return (_request, { json, text }) => {
      const headers = { "retry-after": seconds };
      return error === undefined ? text("", status, headers) : json({ error }, status, headers);
    };
  };

  it.each<[string, PollAnswer, number]>([
    ["a pending answer", retryAfter(400, "authorization_pending", "30"), 30],
    ["a pending answer, when that is less than the interval", retryAfter(400, "authorization_pending", "2"), 5],
    ["slow_down", retryAfter(400, "slow_down", "30"), 30],
    ["slow_down, when that is less than five seconds more", retryAfter(400, "slow_down", "1"), 10],
    ["429", retryAfter(429, undefined, "40"), 40],
    ["503", retryAfter(503, undefined, "50"), 50],
  ])("honours the Retry-After of %s [DEV-4] [ERR-3]", async (_name, answer, seconds) => {
    expect(await secondsBetweenPolls([answer, tokensGiven])).toEqual([5, seconds]);
  });

  const trouble: [string, PollAnswer][] = [
    ["500", (_request, { text }) => text("", 500)],
    ["a page with status 502", (_request, { html }) => html("<h1>Bad gateway", 502)],
    ["429", (_request, { json }) => json({ error: "too_many" }, 429)],
    ["a cut connection", () => "reset"],
  ];
  it.each(trouble)("doubles with each %s, up to a minute [DEV-5]", async (_name, answer) => {
    const polls = [answer, answer, answer, answer, answer, tokensGiven];
    expect(await secondsBetweenPolls(polls)).toEqual([5, 10, 20, 40, 60, 60]);
  });

  it("never gets shorter because of trouble [DEV-3] [DEV-5]", async () => {
    const polls = [trouble[0]![1], tokensGiven];
    expect(await secondsBetweenPolls(polls, { interval: 90 })).toEqual([90, 90]);
  });

  it("doubles when a poll is not answered in time [DEV-5]", async () => {
    const clock = new WaitingClock();
    const server = await startDeviceServer({
      polls: [
        (request, { hang }) => {
          setImmediate(() => clock.advance(patient.requestTimeoutMs));
          return hang(request);
        },
        tokensGiven,
      ],
      device: { expires_in: 100_000_000 },
    });
    await startDeviceHost({ clock }).tokens.signIn(server.mcpUrl, { flow: "device" });
    expect(clock.waits).toEqual([5000, 10_000]);
  });
});

describe("the polling ends", () => {
  it.each<[string, PollAnswer, object]>([
    ["access_denied", "access_denied", { code: "authorization_denied", oauthError: "access_denied" }],
    ["expired_token", "expired_token", { code: "timeout" }],
    ["invalid_grant", "invalid_grant", { code: "token_request_failed", oauthError: "invalid_grant" }],
    ["a code that nobody knows", "quota_exceeded", { code: "token_request_failed", oauthError: "quota_exceeded" }],
    ["an empty 400", (_request, { text }) => text("", 400), { code: "token_request_failed", status: 400 }],
    ["a page", (_request, { html }) => html("<h1>Welcome"), { code: "invalid_response" }],
    ["a redirect", (_request, { redirect }) => redirect("/elsewhere", 307), { code: "invalid_response" }],
  ])("with %s [DEV-5]", async (_name, answer, expected) => {
    const server = await startDeviceServer({ polls: ["authorization_pending", answer] });
    const host = startDeviceHost();
    const { code } = expected as { code: "timeout" };
    const error = await failure(host.tokens.signIn(server.mcpUrl, { flow: "device" }), code, server.mcpUrl);
    expect(error).toMatchObject(expected);
    expect(server.log.count("POST", "/token")).toBe(2);
    expect(host.prompts[0]?.signal.aborted).toBe(true);
    expect(await host.tokens.status()).toEqual([]);
  });

  it("when the code ends, and no new code is asked for before somebody wants it [DEV-6]", async () => {
    const server = await startDeviceServer({ polls: ["authorization_pending"], device: { expires_in: 12 } });
    const clock = new WaitingClock();
    const host = startDeviceHost({ clock });
    const error = await failure(host.tokens.signIn(server.mcpUrl, { flow: "device" }), "timeout", server.mcpUrl);
    expect(error.message).toContain("Start the sign-in again");
    expect(clock.waits).toEqual([5000, 5000, 2000]);
    expect(server.log.count("POST", "/token")).toBe(2);
    expect(server.log.count("POST", "/device")).toBe(1);
    expect(host.prompts[0]).toMatchObject({ expiresAt: clock.now() });
    await failure(host.tokens.signIn(server.mcpUrl, { flow: "device" }), "timeout");
    expect(server.log.count("POST", "/device")).toBe(2);
  });

  it("when the caller aborts it, between two polls or during one [DEV-8] [ERR-3]", async () => {
    for (const during of ["wait", "poll"] as const) {
      const controller = new AbortController();
      const server = await startDeviceServer({
        polls: [
          (request, { hang }) => {
            controller.abort();
            return hang(request);
          },
        ],
      });
      const clock = during === "wait" ? new ManualClock() : new WaitingClock();
      const host = startDeviceHost({
        clock,
        devicePrompt: () => during === "wait" && setImmediate(() => controller.abort()),
      });
      const signIn = host.tokens.signIn(server.mcpUrl, { flow: "device", signal: controller.signal });
      await failure(signIn, "aborted", server.mcpUrl);
      clock.advance(600_000);
      expect(server.log.count("POST", "/token")).toBe(during === "wait" ? 0 : 1);
    }
  });

  it("when the prompt fails, with what it failed with", async () => {
    const server = await startDeviceServer({ polls: ["authorization_pending"] });
    const reason = new Error("the screen is off");
    for (const devicePrompt of [
      () => Promise.reject(reason),
      () => {
        throw reason;
      },
    ]) {
      const { tokens } = startDeviceHost({ devicePrompt, clock: new ManualClock() });
      await expect(tokens.signIn(server.mcpUrl, { flow: "device" })).rejects.toBe(reason);
    }
    expect(server.log.count("POST", "/token")).toBe(0);
  });
});

describe("what the user is shown", () => {
  it("is who asks for what, where, with which code and until when [DEV-2] [DEV-7]", async () => {
    const server = await startDeviceServer();
    const clock = new WaitingClock();
    const startedAt = clock.now();
    const host = startDeviceHost({ clock });
    await host.tokens.signIn(server.mcpUrl, { flow: "device" });
    expect(host.prompts).toMatchObject([
      {
        server: server.mcpUrl.href,
        clientName: "Test Host",
        authorizationServer: new URL(server.issuer).host,
        verificationUri: `${server.url}/activate`,
        userCode: "WDJB-MJHT",
        expiresAt: startedAt + 1_800_000,
      },
    ]);
    expect(Object.keys(host.prompts[0] ?? {})).not.toContain("verificationUriComplete");
  });

  it("takes the name that a draft gave the address", async () => {
    const server = await startDeviceServer({
      device: { verification_uri: undefined, verification_url: "https://as.example/activate" },
    });
    const host = startDeviceHost();
    await host.tokens.signIn(server.mcpUrl, { flow: "device" });
    expect(host.prompts[0]?.verificationUri).toBe("https://as.example/activate");
  });

  it.each(["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://as.example/activate", "/activate"])(
    "is never an address like %s, neither plain nor with the code in it [DEV-2] [URL-2] [URL-4]",
    async (address) => {
      for (const device of [{ verification_uri: address }, { verification_uri_complete: address }]) {
        const server = await startDeviceServer({ device });
        const host = startDeviceHost();
        await failure(host.tokens.signIn(server.mcpUrl, { flow: "device" }), "insecure_url");
        expect(host.prompts).toEqual([]);
        expect(server.log.count("POST", "/token")).toBe(0);
      }
    },
  );

  it("has nothing in it that a terminal would obey", async () => {
    const server = await startDeviceServer({ device: { user_code: "AB\u001b[2J\u202eCD" } });
    const host = startDeviceHost();
    await host.tokens.signIn(server.mcpUrl, { flow: "device" });
    expect(host.prompts[0]?.userCode).toBe("AB [2JCD");
  });

  it("never is the device code, nor is it in an error or an event [DEV-7]", async () => {
    const server = await startDeviceServer({
      polls: [
        ({ form }, { json }) => json({ error: "invalid_grant", error_description: form.get("device_code") }, 400),
      ],
    });
    const host = startDeviceHost();
    const error = await failure(host.tokens.signIn(server.mcpUrl, { flow: "device" }), "token_request_failed");
    expect(server.log.find("POST", "/token")[0]?.body).toContain(DEVICE_CODE);
    expect([error, host.prompts, host.events].map(shown).join("\n")).not.toContain(DEVICE_CODE);
  });
});

describe("where it cannot be", () => {
  it("says what is missing: a prompt, or the server's endpoint", async () => {
    const server = await startDeviceServer();
    const without = startHost({ clock: new WaitingClock(), ...patient });
    const error = await failure(without.tokens.signIn(server.mcpUrl, { flow: "device" }), "invalid_configuration");
    expect(error.message).toContain("devicePrompt");
    const plain = await startScripted();
    const host = startDeviceHost();
    await failure(host.tokens.signIn(plain.mcpUrl, { flow: "device" }), "authorization_failed", plain.mcpUrl);
    // By itself it is not tried there either.
    const headless = startDeviceHost({ openBrowser: noBrowser });
    await failure(headless.tokens.get(plain.mcpUrl), "browser_unavailable", plain.mcpUrl);
    expect(headless.prompts).toEqual([]);
  });

  it("refuses a device endpoint that is not https before anything is sent [DEV-1] [TLS-1]", async () => {
    const server = await startDeviceServer({ metadata: { device_authorization_endpoint: "http://as.example/device" } });
    await failure(startDeviceHost().tokens.signIn(server.mcpUrl, { flow: "device" }), "insecure_url");
    expect(server.log.count("POST", "/register")).toBe(0);
  });

  it("does not need PKCE, which protects a redirect [PKCE-3]", async () => {
    const server = await startDeviceServer({
      metadata: (usual) => ({
        ...usual,
        device_authorization_endpoint: `${String(usual.issuer)}/device`,
        code_challenge_methods_supported: undefined,
      }),
    });
    await startDeviceHost().tokens.signIn(server.mcpUrl, { flow: "device" });
  });
});

describe("its client", () => {
  it("authenticates at both endpoints by its one method [DEV-8] [CA-1]", async () => {
    const server = await startDeviceServer();
    const clients = [{ issuer: server.issuer, clientId: "confidential", clientSecret: "s3cret" }];
    await startDeviceHost({ clients }).tokens.signIn(server.mcpUrl, { flow: "device" });
    for (const path of ["/device", "/token"]) {
      const [request] = server.log.find("POST", path);
      expect(request?.headers.authorization).toBe(`Basic ${btoa("confidential:s3cret")}`);
      expect(request?.body).not.toContain("client_secret");
    }
    expect(server.log.count("POST", "/register")).toBe(0);
  });

  it("is registered anew, once, when the server has forgotten it [DCR-8]", async () => {
    const store = memoryStore();
    let forgotten: string | null = null;
    const server = await startDeviceServer({
      routes: {
        "POST /device": ({ form }, { json, url }) =>
          form.get("client_id") === forgotten
            ? json({ error: "invalid_client" }, 401)
            : json({ device_code: "d", user_code: "u", verification_uri: `${url}/activate`, expires_in: 600 }),
      },
    });
    await startDeviceHost({ store }).tokens.signIn(server.mcpUrl, { flow: "device" });
    forgotten = new URLSearchParams(server.log.find("POST", "/device")[0]?.body).get("client_id");
    const host = startDeviceHost({ store });
    await host.tokens.signIn(server.mcpUrl, { flow: "device" });
    expect(server.log.count("POST", "/register")).toBe(2);
    expect(host.told("client_forgotten")).toMatchObject([{ clientId: forgotten }]);
  });
});
