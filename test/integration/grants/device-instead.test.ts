// The device flow in the place of a sign-in with a browser that cannot begin at this authorization server.
import type { DeviceSignIn } from "mcp-oauth-client";
import { expect, it } from "vitest";
import type { RunningScriptedAuthorizationServer } from "../../servers/scripted-authorization-server.ts";
import { failure, startHost } from "../flow/support/harness.ts";
import { DEVICE_GRANT, startDeviceServer } from "./support/device-server.ts";
import { patient, WaitingClock } from "./support/waiting-clock.ts";

/** A server of the device flow whose metadata lacks a member that the code flow needs. */
function startWithout(member: string): Promise<RunningScriptedAuthorizationServer> {
  return startDeviceServer({
    metadata: ({ [member]: _removed, ...usual }) => ({
      ...usual,
      device_authorization_endpoint: `${String(usual.issuer)}/device`,
    }),
  });
}

/** A host with a browser and a way to show a code, and what that was given. */
function startBoth() {
  const prompts: DeviceSignIn[] = [];
  const devicePrompt = (signIn: DeviceSignIn): void => void prompts.push(signIn);
  return { ...startHost({ clock: new WaitingClock(), devicePrompt, ...patient }), prompts };
}

it.each(["authorization_endpoint", "code_challenge_methods_supported"])(
  "is chosen by itself where the metadata has no %s, and nothing is registered for a redirect",
  async (member) => {
    const server = await startWithout(member);
    const host = startBoth();
    await host.tokens.get(server.mcpUrl);
    expect(host.prompts).toHaveLength(1);
    expect(host.opened).toEqual([]);
    const registered = server.log.find("POST", "/register").map(({ body }) => JSON.parse(body) as object);
    expect(registered).toMatchObject([{ grant_types: [DEVICE_GRANT, "refresh_token"], redirect_uris: [] }]);
    expect(host.told("token_issued")).toMatchObject([{ flow: "device" }]);
  },
);

it("is not chosen for somebody who wants the browser, nor where no code can be shown", async () => {
  const server = await startWithout("code_challenge_methods_supported");
  const host = startBoth();
  await failure(host.tokens.signIn(server.mcpUrl, { flow: "browser" }), "pkce_unsupported", server.mcpUrl);
  expect(host.prompts).toEqual([]);
  await failure(startHost().tokens.get(server.mcpUrl), "pkce_unsupported", server.mcpUrl);
  expect(server.log.count("POST", "/register")).toBe(0);
});
