import { pollForDeviceTokens } from "../authorization/grants/device-code.ts";
import { McpOAuthError } from "../core/errors.ts";
import { unionOfScopes } from "../core/scope.ts";
import type { Discovery } from "../discovery/discover.ts";
import { type DeviceAuthorization, requestDeviceAuthorization } from "../endpoint/device-authorization-request.ts";
import type { EndpointContext } from "../endpoint/token-request.ts";
import type { PromptForDevice } from "../ports/device-prompt.ts";
import type { Credential } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";
import { type BoundKey, issuedCredential } from "./issued-credential.ts";

export interface DeviceSignInOrder {
  readonly discovery: Discovery;
  readonly account: string;
  readonly scope: string | undefined;
  readonly dpop: BoundKey | undefined;
  readonly onShown?: (reopen: () => void) => void;
  readonly signal: AbortSignal;
}

type DeviceEndpoint = EndpointContext & { readonly signal: AbortSignal };

/** Whether a sign-in on another device can be offered: the server has it, and there is a way to show the code. */
export function canUseDevice(context: FlowContext, { authorizationServer }: Discovery): boolean {
  return context.devicePrompt !== undefined && authorizationServer.device_authorization_endpoint !== undefined;
}

function requireDevicePrompt(
  context: FlowContext,
  { server, issuer, authorizationServer }: Discovery,
): PromptForDevice {
  const details = { server, issuer };
  if (context.devicePrompt === undefined) {
    const message = 'The flow "device" needs the option devicePrompt: a function that shows the code and the address.';
    throw new McpOAuthError("invalid_configuration", message, details);
  }
  if (authorizationServer.device_authorization_endpoint === undefined) {
    const message = `${issuer} offers no sign-in on another device (RFC 8628). Sign in with a browser, or with flow "paste".`;
    throw new McpOAuthError("authorization_failed", message, details);
  }
  return context.devicePrompt;
}

/** Asks for a code. A stored client that the server has forgotten is registered again, once. */
async function requestCode(
  context: FlowContext,
  order: DeviceSignInOrder,
  resource: string | undefined,
): Promise<{ endpoint: DeviceEndpoint; device: DeviceAuthorization }> {
  const { discovery, scope, dpop, signal } = order;
  const { server, authorizationServer, protectedResource } = discovery;
  const laterScope = unionOfScopes(protectedResource?.scopesSupported?.join(" "));
  const known = await context.registry.known(authorizationServer, "device");
  const ask = async (): Promise<{ endpoint: DeviceEndpoint; device: DeviceAuthorization }> => {
    const client = await context.registry.obtain({
      server,
      authorizationServer,
      signal,
      ...(scope !== undefined && { scope }),
      ...(laterScope !== undefined && { laterScope }),
    });
    const dpopKey = dpop === undefined ? {} : { dpopKey: dpop.key };
    const endpoint = { ...context, server, authorizationServer, client, signal, ...dpopKey };
    const parameters = { ...(resource !== undefined && { resource }), ...(scope !== undefined && { scope }) };
    return { endpoint, device: await requestDeviceAuthorization(endpoint, parameters) };
  };
  try {
    return await ask();
  } catch (error) {
    const isForgotten = error instanceof McpOAuthError && error.oauthError === "invalid_client";
    if (!isForgotten || known?.how !== "dynamic") throw error;
    await context.registry.forget(known, server);
    return ask();
  }
}

/**
 * Signs a user in on another device (RFC 8628): shows a code and an address, and waits until the user has used them.
 *
 * @throws `invalid_configuration`, `authorization_failed`, `authorization_denied`, `timeout`, `aborted`,
 * `client_unavailable`, `registration_failed`, `token_request_failed`, `invalid_response`, `insecure_url`, `store_failed`.
 */
export async function signInWithDevice(context: FlowContext, order: DeviceSignInOrder): Promise<Credential> {
  const { discovery, account, scope, signal } = order;
  const { server, issuer } = discovery;
  const resource = context.profiles.use("omitResource", issuer, server) === true ? undefined : discovery.resource;
  const prompt = requireDevicePrompt(context, discovery);
  const { endpoint, device } = await requestCode(context, order, resource);
  const over = new AbortController();
  context.events.emit("sign_in_started", {
    server,
    account,
    issuer: discovery.issuer,
    flow: "device",
    ...(scope !== undefined && { scope }),
  });
  const shown = Promise.resolve(
    prompt({
      server,
      clientName: context.clientName,
      authorizationServer: new URL(discovery.issuer).host,
      verificationUri: device.verificationUri,
      userCode: device.userCode,
      expiresAt: context.clock.now() + device.expiresInSeconds * 1000,
      signal: AbortSignal.any([signal, over.signal]),
      ...(device.verificationUriComplete !== undefined && { verificationUriComplete: device.verificationUriComplete }),
    }),
  ).then(() => new Promise<never>(() => undefined));
  try {
    const tokens = await Promise.race([
      pollForDeviceTokens({ ...endpoint, signal: AbortSignal.any([signal, over.signal]) }, device, resource),
      shown,
    ]);
    context.registry.prove(endpoint.client);
    const credential = issuedCredential(context, { ...order, client: endpoint.client, tokens, flow: "device" });
    await context.coordinator.save({ server, account }, credential);
    return credential;
  } finally {
    over.abort();
    shown.catch(() => undefined);
  }
}
