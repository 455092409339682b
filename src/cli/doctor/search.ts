import type { ResourceChallenge } from "../../challenge/read.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { discoverAuthorizationServer } from "../../discovery/authorization-server.ts";
import { MetadataCache } from "../../discovery/cache.ts";
import { type Discovery, type DiscoveryQuery, discover } from "../../discovery/discover.ts";
import type { FoundServer } from "./check-authorization-server.ts";
import type { ResourceCheck } from "./check-resource.ts";
import { acceptEverything, type Deviation, type Examination, strictPolicy } from "./examination.ts";

/** An error of the library as a value; what is no finding about a server goes on. */
export function asOutcome(error: unknown): McpOAuthError {
  if (error instanceof McpOAuthError && error.code !== "aborted") return error;
  throw error;
}

/** What the library's own discovery comes to, first as it is and then with everything accepted. */
export class Search {
  /** What the library let pass. */
  readonly deviations: Deviation[] = [];
  readonly #examination: Examination;
  readonly #query: Omit<DiscoveryQuery, "policy">;

  constructor(examination: Examination, challenge: ResourceChallenge | undefined) {
    const { server, signal } = examination;
    this.#examination = examination;
    this.#query = { server, signal, issuersWithCredentials: [], ...(challenge !== undefined && { challenge }) };
  }

  strict(): Promise<Discovery | McpOAuthError> {
    return this.#discover(strictPolicy((deviation) => this.deviations.push(deviation)));
  }

  /** Behind metadata of the resource that the library refuses; `undefined` where nothing leads on. */
  async behind({ issuers, metadata }: ResourceCheck): Promise<FoundServer | McpOAuthError | undefined> {
    const [issuer] = issuers;
    if (issuer === undefined) return undefined;
    if (metadata !== undefined) return foundBy(await this.#discover(acceptEverything));
    const { http, clock, server, signal } = this.#examination;
    const query = { issuer, server, signal };
    const found = await discoverAuthorizationServer(http, new MetadataCache(clock), query).catch(asOutcome);
    return found === undefined || found instanceof McpOAuthError ? found : { metadata: found };
  }

  #discover(policy: DiscoveryQuery["policy"]): Promise<Discovery | McpOAuthError> {
    const { http, clock } = this.#examination;
    return discover(http, new MetadataCache(clock), { ...this.#query, policy }).catch(asOutcome);
  }
}

/** What a discovery found, without what only a sign-in needs. */
export function foundBy(outcome: Discovery | McpOAuthError): FoundServer | McpOAuthError {
  if (outcome instanceof McpOAuthError) return outcome;
  const { authorizationServer: metadata, defaultEndpoints, protectedResource } = outcome;
  if (protectedResource !== undefined) return { metadata };
  return { metadata, legacy: defaultEndpoints ? "default_endpoints" : "metadata" };
}
