// The part of oidc-provider these fixtures touch; the package ships no types.
declare module "oidc-provider" {
  import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

  export type AdapterPayload = Record<string, unknown>;

  export interface Adapter {
    upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void>;
    find(id: string): Promise<AdapterPayload | undefined>;
    findByUid(uid: string): Promise<AdapterPayload | undefined>;
    findByUserCode(userCode: string): Promise<AdapterPayload | undefined>;
    destroy(id: string): Promise<void>;
    consume(id: string): Promise<void>;
    revokeByGrantId(grantId: string): Promise<void>;
  }

  export interface OidcClient {
    readonly clientId: string;
    readonly clientName?: string;
    readonly clientUri?: string;
    grantTypeAllowed(type: string): boolean;
    /** RFC 7591 names. */
    metadata(): Record<string, unknown>;
  }

  export interface OidcToken {
    readonly jti: string;
    readonly kind: string;
    readonly format?: string;
    readonly clientId: string;
    readonly grantId?: string;
    readonly accountId?: string;
    readonly aud?: string | string[];
    readonly scope?: string;
    readonly scopes: Set<string>;
    readonly jkt?: string;
    readonly iat: number;
    readonly exp?: number;
    readonly isExpired: boolean;
  }

  export interface OidcGrant {
    addOIDCScope(scope: string): void;
    addOIDCClaims(claims: string[]): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  }

  export interface InteractionDetails {
    readonly uid: string;
    readonly prompt: {
      readonly name: string;
      readonly details: {
        missingOIDCScope?: string[];
        missingOIDCClaims?: string[];
        missingResourceScopes?: Record<string, string[]>;
      };
    };
    readonly params: Record<string, unknown>;
    readonly session?: { readonly accountId?: string };
    readonly grantId?: string;
  }

  export interface Model<Found> {
    find(id: string): Promise<Found | undefined>;
  }

  /** Koa's context, as far as the page callbacks of oidc-provider need it. */
  export interface OidcContext {
    body: unknown;
    type: string;
    readonly oidc: { readonly client?: OidcClient };
  }

  export default class Provider {
    constructor(issuer: string, configuration: Record<string, unknown>);
    readonly issuer: string;
    callback(): RequestListener;
    on(event: string, listener: (...args: never[]) => void): this;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<InteractionDetails>;
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: Record<string, unknown>,
      options?: { mergeWithLastSubmission?: boolean },
    ): Promise<void>;
    readonly Client: Model<OidcClient>;
    readonly AccessToken: Model<OidcToken>;
    readonly ClientCredentials: Model<OidcToken>;
    readonly Grant: Model<OidcGrant> & (new (values: { accountId: string; clientId: string }) => OidcGrant);
  }

  export const errors: {
    InvalidTarget: new (description?: string) => Error;
  };
}
