// Puts an answer of the test's own in front of a real server, for a moment or until removed.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { pathOf } from "./http.ts";
import { matchesPath, type PathPredicate } from "./request-log.ts";

export type RequestMatcher =
  /** `"POST /token"`, or `"/token"` for every method. */
  string | { method?: string; path?: PathPredicate } | ((request: IncomingMessage) => boolean);

/** Answers, or calls `next` to let the real server answer (also after a delay, or having changed the request). */
export type FaultHandler = (request: IncomingMessage, response: ServerResponse, next: () => void) => unknown;

export interface FaultOptions {
  /** How many matching requests it applies to. Default: every one until removed. */
  times?: number;
}

export interface Fault {
  /** How many requests it has caught. */
  readonly hits: number;
  remove(): void;
}

export interface FaultInjection {
  respond(matcher: RequestMatcher, handler: FaultHandler, options?: FaultOptions): Fault;
  wrap(listener: RequestListener): RequestListener;
}

interface ActiveFault {
  matcher: RequestMatcher;
  handler: FaultHandler;
  left: number;
  hits: number;
}

export function createFaultInjection(): FaultInjection {
  const faults: ActiveFault[] = [];
  return {
    respond: (matcher, handler, options = {}) => {
      const fault: ActiveFault = { matcher, handler, left: options.times ?? Number.POSITIVE_INFINITY, hits: 0 };
      // The newest first, so that a test can lay a one-time fault over a permanent one.
      faults.unshift(fault);
      return {
        get hits(): number {
          return fault.hits;
        },
        remove: () => {
          const index = faults.indexOf(fault);
          if (index >= 0) faults.splice(index, 1);
        },
      };
    },
    wrap: (listener) => (request, response) => {
      const fault = faults.find((candidate) => candidate.left > 0 && matches(request, candidate.matcher));
      if (!fault) return listener(request, response);
      fault.left -= 1;
      fault.hits += 1;
      void handle(fault.handler, request, response, () => listener(request, response));
    },
  };
}

async function handle(
  handler: FaultHandler,
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): Promise<void> {
  try {
    await handler(request, response, next);
  } catch (error) {
    console.error("injected fault:", error);
    if (!response.headersSent) response.writeHead(500).end();
  }
}

function matches(request: IncomingMessage, matcher: RequestMatcher): boolean {
  if (typeof matcher === "function") return matcher(request);
  if (typeof matcher === "string") {
    const [first = "", second] = matcher.split(" ", 2);
    return second === undefined ? pathOf(request) === first : request.method === first && pathOf(request) === second;
  }
  return (
    (matcher.method === undefined || matcher.method === request.method) &&
    matchesPath(pathOf(request), matcher.path ?? (() => true))
  );
}
