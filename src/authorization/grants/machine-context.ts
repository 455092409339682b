import type { Clock } from "../../core/clock.ts";
import type { Http } from "../../core/http.ts";
import type { AuthorizationServerMetadata } from "../../endpoint/authorization-server.ts";
import type { DpopKey } from "../../endpoint/dpop-key.ts";
import type { OAuthClient } from "../../endpoint/oauth-client.ts";
import type { TokenResponse } from "../../endpoint/token-request.ts";

/** What a grant without a user works with. */
export interface MachineContext {
  readonly http: Http;
  readonly clock: Clock;
  readonly server: string;
  readonly account: string;
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly resource: string;
  /** Whether the issuer refuses the `resource` parameter. */
  readonly omitResource: boolean;
  readonly scope: string | undefined;
  readonly dpopKey?: DpopKey;
  readonly signal: AbortSignal;
}

/** What such a grant gives. */
export interface GrantedTokens {
  readonly client: OAuthClient;
  readonly tokens: TokenResponse;
}

/** The parameters that every token request of such a grant has: which server it is for (RFC 8707), and for what. */
export function targetParameters({ resource, omitResource, scope }: MachineContext): Record<string, string> {
  return { ...(!omitResource && { resource }), ...(scope !== undefined && { scope }) };
}
