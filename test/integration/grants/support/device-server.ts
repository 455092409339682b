import type {
  RunningScriptedAuthorizationServer,
  ScriptedAuthorizationServerOptions,
} from "../../../servers/scripted-authorization-server.ts";
import type { ScriptedAnswer, ScriptedHelpers, ScriptedRequest } from "../../../servers/scripted-server.ts";
import { startScripted } from "../../flow/support/harness.ts";

export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
/** What must be shown nowhere. */
export const DEVICE_CODE = "device-code-that-nobody-may-see";

/** An answer to a poll: an OAuth error, or an answer of any kind. */
export type PollAnswer =
  | string
  | ((request: ScriptedRequest, helpers: ScriptedHelpers) => ScriptedAnswer | Promise<ScriptedAnswer>);

export interface DeviceScript extends ScriptedAuthorizationServerOptions {
  /** Members of the device authorization response; `undefined` removes one. */
  device?: Record<string, unknown>;
  /** What the polls are answered by, in order; the last one for ever. Default: tokens. */
  polls?: readonly PollAnswer[];
}

/** The answer that ends a device sign-in well. */
export const tokensGiven: PollAnswer = (_request, { json }) =>
  json({ access_token: "the-access-token", token_type: "Bearer", expires_in: 3600 });

/** A server of the device flow that answers as it is told. */
export async function startDeviceServer({
  device = {},
  polls = [tokensGiven],
  ...options
}: DeviceScript = {}): Promise<RunningScriptedAuthorizationServer> {
  let poll = 0;
  return startScripted({
    metadata: (usual) => ({ ...usual, device_authorization_endpoint: `${String(usual.issuer)}/device` }),
    token: (request, usual, helpers) => {
      if (request.form.get("grant_type") !== DEVICE_GRANT) return usual();
      const answer = polls[Math.min(poll++, polls.length - 1)] ?? tokensGiven;
      return typeof answer === "string" ? helpers.json({ error: answer }, 400) : answer(request, helpers);
    },
    ...options,
    routes: {
      "POST /device": (_request, { json, url }) =>
        json({
          device_code: DEVICE_CODE,
          user_code: "WDJB-MJHT",
          verification_uri: `${url}/activate`,
          expires_in: 1800,
          interval: 5,
          ...device,
        }),
      ...options.routes,
    },
  });
}
