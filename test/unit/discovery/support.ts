import type { Http } from "../../../src/core/http.ts";
import { MetadataCache } from "../../../src/discovery/cache.ts";
import type { AuthorizationServerMetadata } from "../../../src/endpoint/authorization-server.ts";
import { type RunningScriptedServer, type ScriptedRoutes, startScriptedServer } from "../../servers/scripted-server.ts";
import type { ManualClock } from "../../support/manual-clock.ts";
import { manualHttp } from "../../support/stage.ts";

/** What discovery works with. */
export function discoveryTools(): {
  http: Http;
  clock: ManualClock;
  cache: MetadataCache<AuthorizationServerMetadata>;
} {
  const { http, clock } = manualHttp();
  return { http, clock, cache: new MetadataCache(clock) };
}

/** The paths (with queries) that were asked for, in order. */
export function asked({ log }: Pick<RunningScriptedServer, "log">): string[] {
  return log.requests.map(({ path, query }) => (query.size === 0 ? path : `${path}?${query}`));
}

/** A server that answers JSON documents by path, each made from its own origin, and 404 elsewhere. */
export function serveDocuments(documents: Record<string, (origin: string) => unknown>): Promise<RunningScriptedServer> {
  const routes: ScriptedRoutes = {};
  for (const [path, document] of Object.entries(documents))
    routes[path] = (_request, { json, url }) => json(document(url));
  return startScriptedServer(routes);
}
