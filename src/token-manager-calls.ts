import type { Secret } from "./core/secret.ts";
import type { SignInFlow } from "./flow/context.ts";
import type { Credential } from "./tokens/credential.ts";

/** Names an account, for calls that may concern one of several on the same server. */
export interface AccountOptions {
  /** Default: the token manager's `account`. */
  account?: string;
}

/** Options of {@link TokenManager.get}. */
export interface GetOptions extends AccountOptions {
  /**
   * The least remaining lifetime of the token, in seconds. Default 0. Where a server's tokens never last that long, they
   * are renewed as soon as they are due.
   */
  minTtlSeconds?: number;
  /** Ends the waiting; a refresh or sign-in that others share goes on. */
  signal?: AbortSignal;
}

/** Options of {@link TokenManager.signIn}. */
export interface SignInOptions extends AccountOptions {
  /**
   * How the user takes part. `"auto"` (default): the browser, and where none can be opened the device flow, if there is a
   * `devicePrompt` and the server has it, or else the `prompt`; the device flow also where the server has no authorization
   * endpoint, or does not offer PKCE with S256. `"browser"`, `"device"`, `"paste"`: only that.
   */
  flow?: SignInFlow;
  /** Scopes to ask for, separated by spaces. Default: what the server asks for. */
  scope?: string;
  /** Ends the sign-in, unless others wait for it too. */
  signal?: AbortSignal;
}

/** Options of {@link TokenManager.setToken}. */
export interface SetTokenOptions extends AccountOptions {
  /** The header that carries the key as it is, such as `X-API-Key`. Default: `Authorization: Bearer`. */
  header?: string;
}

/** Options of {@link TokenManager.importSession}. */
export interface ImportSessionOptions extends AccountOptions {
  /** Whether the session takes the place of one that is there. Default `false`: that is an error. */
  replace?: boolean;
  signal?: AbortSignal;
}

/** Options of {@link TokenManager.signOut}. */
export interface SignOutOptions extends AccountOptions {
  /** All sessions, or with a URL all accounts on that server; with an `account`, only those of that account. */
  all?: boolean;
  /**
   * Whether the client that was registered for the session is deleted at its authorization server as well (RFC 7592), once
   * no other session uses it. Default `false`: it is kept for the next sign-in.
   */
  unregister?: boolean;
  signal?: AbortSignal;
}

/** An access token and what is known about it. */
export interface TokenResult {
  /** `reveal()` gives the text; everything else prints `[redacted]`. */
  readonly accessToken: Secret;
  readonly tokenType: "Bearer" | "DPoP";
  /** Milliseconds since the epoch; absent when the server did not say. */
  readonly expiresAt?: number;
  /** The granted scopes, separated by spaces. */
  readonly scope?: string;
  readonly issuer: string;
  /**
   * The name of the header that carries the token as it is, such as `X-API-Key`: for a key that was kept by
   * {@link TokenManager.setToken} with one. Absent for all others, which go into `Authorization` behind their type.
   */
  readonly header?: string;
}

/** What is told of a credential. Made millions of times a second, so without the spreading that is usual elsewhere. */
export function tokenResult({ accessToken, tokenType, expiresAt, scope, issuer, header }: Credential): TokenResult {
  const result: { -readonly [Member in keyof TokenResult]: TokenResult[Member] } = { accessToken, tokenType, issuer };
  if (expiresAt !== undefined) result.expiresAt = expiresAt;
  if (scope !== undefined) result.scope = scope;
  if (header !== undefined) result.header = header;
  return result;
}
