import { McpOAuthError } from "../core/errors.ts";
import { isManaged, requestClientRemoval } from "../endpoint/client-removal-request.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import type { SessionKey } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";

/**
 * What became of the registration of a session's client.
 *
 * `removed`: the authorization server has deleted it. `in_use`: another session was made with the same client, so it was
 * kept. `unsupported`: it was not registered by this package, or the server does not let clients remove themselves.
 * `unreachable`: the server did not answer in time, or not now. `refused`: it answered with an error.
 */
export type ClientRemovalOutcome = "removed" | "in_use" | "unsupported" | "unreachable" | "refused";

interface Removal {
  readonly outcome: ClientRemovalOutcome;
  /** Why the client may still be registered. */
  readonly error?: McpOAuthError;
}

/** Statuses by which servers say that there is no such operation. */
const NO_SUCH_OPERATION = new Set([405, 501]);

/** Whether any stored session was made with a client; one that cannot be read may have been. */
async function isInUse({ coordinator }: FlowContext, client: OAuthClient): Promise<boolean> {
  for (const key of await coordinator.list()) {
    const credentials = await coordinator.reload(key).then(
      (session) => Object.values(session?.record.credentials ?? {}),
      () => undefined,
    );
    const isUser = (other: OAuthClient): boolean =>
      other.issuer === client.issuer && other.clientId === client.clientId;
    if (credentials === undefined || credentials.some((credential) => isUser(credential.client))) return true;
  }
  return false;
}

function failed(thrown: unknown): Removal {
  const error =
    thrown instanceof McpOAuthError
      ? thrown
      : new McpOAuthError("registration_failed", "The client could not be removed.", { cause: thrown });
  const { code, status } = error;
  if (status !== undefined && NO_SUCH_OPERATION.has(status)) return { outcome: "unsupported", error };
  const answered = code === "registration_failed" && status !== undefined && status < 500 && status !== 429;
  return { outcome: answered || code === "insecure_url" ? "refused" : "unreachable", error };
}

async function removal(
  context: FlowContext,
  { server }: SessionKey,
  client: OAuthClient,
  signal: AbortSignal,
): Promise<Removal> {
  if (client.how !== "dynamic" || !isManaged(client)) return { outcome: "unsupported" };
  try {
    if (await isInUse(context, client)) return { outcome: "in_use" };
    await requestClientRemoval({ ...context, server, signal }, client);
  } catch (error) {
    return failed(error);
  }
  // Should our own record of it stay behind, then the next sign-in finds that the server has forgotten the client.
  await context.registry.drop(client).catch(() => undefined);
  return { outcome: "removed" };
}

/**
 * Removes the registration of a client that no session needs any more (RFC 7592 section 2.3), there and here. One that
 * could not be removed is kept, to be used again.
 */
export async function removeClient(
  context: FlowContext,
  key: SessionKey,
  client: OAuthClient,
  signal: AbortSignal,
): Promise<Removal> {
  const { clock, events } = context;
  const startedAt = clock.now();
  const removed = await removal(context, key, client, signal);
  events.emit("client_removed", {
    ...key,
    issuer: client.issuer,
    clientId: client.clientId,
    outcome: removed.outcome,
    durationMs: clock.now() - startedAt,
  });
  return removed;
}
