import { FileStore } from "../../../../src/adapters/encrypted-file/store.ts";
import { type Clock, systemClock } from "../../../../src/core/clock.ts";
import { EventHub } from "../../../../src/core/events.ts";
import { Http } from "../../../../src/core/http.ts";
import { TokenCoordinator } from "../../../../src/tokens/coordinator.ts";
import type { RefreshStep } from "../../../../src/tokens/refresh-transaction.ts";

export interface CoordinatorSettings {
  readonly directory: string;
  /** Base64. */
  readonly key: string;
  /** How much later it is than it really is. */
  readonly laterMs: number;
  readonly onRefreshStep?: (step: RefreshStep) => void;
}

/** The heart of a token manager over encrypted files, with nothing in memory yet. */
export function openCoordinator({ directory, key, laterMs, onRefreshStep }: CoordinatorSettings): TokenCoordinator {
  const clock: Clock = { ...systemClock, now: () => Date.now() + laterMs };
  return new TokenCoordinator({
    store: new FileStore({ directory, key }),
    clock,
    http: new Http({ fetch, clock }),
    events: new EventHub(clock),
    refreshAt: 0.8,
    completeClient: (client) => client,
    onClientForgotten: async () => undefined,
    ...(onRefreshStep !== undefined && { onRefreshStep }),
  });
}
