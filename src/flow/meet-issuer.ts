import { requireAcceptedIssuer } from "../discovery/origins.ts";
import type { SessionKey } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";

/**
 * Another authorization server than the one that the last tokens came from is told, and the host may refuse it (MCP
 * 2026-07-28, "authorization server binding").
 *
 * @throws `issuer_mismatch` where the host refuses.
 */
export async function meetIssuer(
  { discoveryPolicy, events }: FlowContext,
  key: SessionKey,
  issuer: string,
  former: string | undefined,
): Promise<void> {
  if (former === undefined || former === issuer) return;
  await requireAcceptedIssuer({ server: key.server, former, issuer }, discoveryPolicy);
  events.emit("issuer_changed", { ...key, issuer, formerIssuer: former });
}
