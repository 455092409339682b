import type { EncryptedFileStoreOptions } from "./adapters/encrypted-file/options.ts";
import type { NetworkOptions } from "./adapters/guarded-fetch.ts";
import type { KeychainStoreOptions } from "./adapters/keychain/options.ts";
import type { DpopMode } from "./authorization/dpop-choice.ts";
import type { MachineGrant } from "./authorization/machine-grants.ts";
import type { NarrowScope } from "./authorization/scope.ts";
import type { Clock } from "./core/clock.ts";
import { McpOAuthError } from "./core/errors.ts";
import type { Fetch } from "./core/http.ts";
import type { AuthorizationServerChoice } from "./discovery/discover.ts";
import type { OriginQuestion } from "./discovery/origins.ts";
import type { IssuerProfile } from "./endpoint/issuer-profile.ts";
import type { PrivateKeyInput } from "./endpoint/private-key.ts";
import type { OpenBrowser } from "./ports/browser.ts";
import type { PromptForDevice } from "./ports/device-prompt.ts";
import type { PromptForRedirect } from "./ports/prompt.ts";
import type { RedirectOptions, RedirectReceiver } from "./ports/redirect-receiver.ts";
import type { TokenStore } from "./ports/token-store.ts";
import type { PreRegisteredClient } from "./registration/pre-registered.ts";
import type { SessionPolicyOption } from "./tokens/session-policy.ts";

/** How the stores that {@link TokenManagerOptions.store} can name are set up. */
export interface StoreOptions {
  /** For the keychain. Default: the service name `mcp-oauth-client`. */
  keychain?: KeychainStoreOptions;
  /**
   * For the encrypted file: where its key comes from. Default: the environment variable `MCP_OAUTH_CLIENT_KEY` (32 bytes
   * in base64), or the passphrase in `MCP_OAUTH_CLIENT_PASSPHRASE`.
   */
  encryptedFile?: EncryptedFileStoreOptions;
  /** Programs with the same profile stay with the same store. Default `"default"`. */
  profile?: string;
  /** Where the choice is remembered; nothing secret is written there. Default: the user's folder for state. */
  directory?: string;
}

/** Options of a {@link TokenManager}. Only `clientName` is required. */
export interface TokenManagerOptions {
  /** The host application's name, shown on consent pages and on the page at the end of a sign-in. */
  clientName: string;
  /**
   * Where tokens are kept. Default `"auto"`: the OS keychain; where there is none, the encrypted file, if there is a key
   * for it; else memory only. The event `store_selected` says which, and why.
   */
  store?: "auto" | "keychain" | "encrypted-file" | "memory" | TokenStore;
  /** How the stores that `store` can name are set up, and where. Not for a store of your own. */
  storeOptions?: StoreOptions;
  /** Brings the authorization URL before the user. Default: the system's browser, by the package `open`. */
  openBrowser?: OpenBrowser;
  /**
   * Shows the authorization URL where no browser can be opened, and takes the address that the user pastes back.
   * Default: none; `terminalPrompt()` asks in a terminal.
   */
  prompt?: PromptForRedirect;
  /**
   * Shows the code and the address of a sign-in on another device (RFC 8628). Default: none; `terminalDevicePrompt()`
   * shows them in a terminal.
   */
  devicePrompt?: PromptForDevice;
  /** The redirect URI. Default: a free port on 127.0.0.1, path `/callback`. */
  redirect?: RedirectOptions;
  /** Receives authorization responses. Default: a listener on loopback. */
  redirectReceiver?: RedirectReceiver;
  /** Clients that were registered by hand, one for each issuer. Default: none. */
  clients?: readonly PreRegisteredClient[];
  /** The URL of the client ID metadata document that describes this client. Default: none. */
  clientMetadataUrl?: string;
  /** The private key of the client that `clientMetadataUrl` describes, where it authenticates by `private_key_jwt`. */
  clientMetadataKey?: PrivateKeyInput;
  /**
   * Whether tokens are bound to a key (DPoP, RFC 9449). `"auto"` (default): where the resource requires it, or both sides
   * advertise it. `"require"`: always. `"off"`: never. Bound tokens work with `fetch` only.
   */
  dpop?: DpopMode;
  /**
   * How to get tokens for servers without asking a person: client credentials, a workload's own token, or an enterprise's
   * identity provider. For these servers no browser is ever opened. Default: none.
   */
  grants?: readonly MachineGrant[];
  /** Whether a person can be asked. `false`: never a browser, `interaction_required` instead. Default `true`. */
  interactive?: boolean;
  /** The account to use where a call names none. Default `"default"`. */
  account?: string;
  /** The share of a token's lifetime after which it is refreshed, above 0 and up to 1. Default 0.8. */
  refreshAt?: number;
  /**
   * For MCP and OAuth requests alike, when the host has its own. Default: the global `fetch` for MCP requests, and for OAuth
   * requests a client that guards against servers which lead into private networks; see `network`.
   */
  fetch?: Fetch;
  /** How OAuth requests travel: guarded addresses, further certificate authorities, a client certificate. */
  network?: NetworkOptions;
  /** How long a person, or the callback of a grant, has to finish a sign-in, in milliseconds. Default 300,000. */
  signInTimeoutMs?: number;
  /** How long a request to an authorization server may take, in milliseconds. Default 30,000. */
  requestTimeoutMs?: number;
  /** Answers when a server names several authorization servers. Default: the first with credentials, else the first. */
  chooseAuthorizationServer?: (choice: AuthorizationServerChoice) => string | Promise<string>;
  /** Asks for less than the servers suggest. Default: all that they suggest. */
  narrowScope?: NarrowScope;
  /**
   * How closely the resource named by a server's metadata must match its URL. `"prefix"` (default): the URL itself or a
   * parent path of the same origin. `"exact"`: only what RFC 9728 section 3.3 allows.
   */
  resourceMatch?: "prefix" | "exact";
  /** Accepts resource identifiers that the rule refuses, such as `api://` ones. Default: none is accepted. */
  acceptResource?: (question: { server: string; resource: string }) => boolean | Promise<boolean>;
  /**
   * Answers before a server leads somewhere else than expected: to metadata of another origin (default: that is not used, the
   * server's own is), to endpoints of another origin than their issuer's (default: refused, unless its responses carry `iss`
   * or a profile lists the origin), or to another authorization server than at the last sign-in (default: followed, after the
   * event `issuer_changed`; nothing of the former is sent to it). The question shows both ends.
   */
  acceptOrigin?: (question: OriginQuestion) => boolean | Promise<boolean>;
  /**
   * How issuers deviate from the specifications, beside those that `knownIssuerProfiles` lists. Each use of a deviation is
   * told by the event `deviation`. Default: none.
   */
  issuerProfiles?: readonly IssuerProfile[];
  /** Whether servers of MCP 2025-03-26, without protected resource metadata, are supported. Default `true`. */
  legacyFallback?: boolean;
  /**
   * Whether a server's resource metadata is fetched while its first request is under way, in the expectation of a 401: a
   * sign-in then takes one round trip less. A server that asks for no authorization gets one request more than it needs,
   * without credentials. Default `false`: no OAuth before a server asks for it.
   */
  expectAuthorization?: boolean;
  /** How long sessions may last, whatever their tokens say. Default: no limit beyond the tokens'. */
  sessionPolicy?: SessionPolicyOption;
  /** Where the time comes from; for tests. Default: the machine's clock. */
  clock?: Clock;
}

/** @throws `invalid_argument` for what cannot name an account. */
export function requireAccount(account: unknown): void {
  try {
    // Half a character pair cannot be encoded into a store's key.
    if (typeof account === "string" && account !== "" && encodeURIComponent(account) !== "") return;
  } catch {}
  throw new McpOAuthError("invalid_argument", "account must be a well-formed text that is not empty.");
}

/**
 * Checks what can be checked before anything happens.
 *
 * @throws `invalid_argument`.
 */
export function requireOptions(options: TokenManagerOptions): void {
  const invalid = (problem: string): McpOAuthError =>
    new McpOAuthError("invalid_argument", `TokenManager: ${problem}.`);
  if (typeof options !== "object" || options === null)
    throw invalid('options are needed, at least { clientName: "…" }');
  const {
    clientName,
    refreshAt = 0.8,
    account = "default",
    signInTimeoutMs = 1,
    requestTimeoutMs = 1,
    store = "auto",
  } = options;
  if (typeof clientName !== "string" || clientName.trim() === "")
    throw invalid("clientName must be a text that is not empty");
  if (!(refreshAt > 0 && refreshAt <= 1)) throw invalid("refreshAt must be above 0 and at most 1");
  requireAccount(account);
  if (!(signInTimeoutMs > 0) || !(requestTimeoutMs > 0)) throw invalid("timeouts must be above 0");
  const named = ["auto", "keychain", "encrypted-file", "memory"];
  const isStore = typeof store === "object" && typeof store.get === "function" && typeof store.lock === "function";
  if (!isStore && !named.includes(store as string)) {
    throw invalid(`store must be one of ${named.map((name) => `"${name}"`).join(", ")}, or a TokenStore`);
  }
}
