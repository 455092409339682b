import type { SeenRequest } from "./programs/world.ts";

/**
 * The longest chain of requests each of which came after the one before had been answered: how many times a client waited
 * for the network, however many requests it had under way at once.
 */
export function roundTrips(requests: readonly Pick<SeenRequest, "startedAt" | "endedAt">[]): number {
  let chain = 0;
  let answeredAt = Number.NEGATIVE_INFINITY;
  for (const { startedAt, endedAt } of [...requests].sort((left, right) => left.endedAt - right.endedAt)) {
    if (startedAt < answeredAt) continue;
    chain += 1;
    answeredAt = endedAt;
  }
  return chain;
}

/** Whether this is the stream on which a server notifies: an SDK opens it beside, and nothing waits for it. */
export function isNotificationStream({ server, method, path, status }: SeenRequest): boolean {
  return server.startsWith("MCP") && method === "GET" && !path.startsWith("/.well-known/") && status !== 401;
}
