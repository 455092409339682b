export type { ResolveAddresses } from "./adapters/address-guard.ts";
export { openInBrowser } from "./adapters/browser.ts";
export type { NetworkOptions } from "./adapters/guarded-fetch.ts";
export { type LoopbackReceiverOptions, loopbackReceiver } from "./adapters/loopback/receiver.ts";
export { memoryStore } from "./adapters/memory-store.ts";
export { type TerminalPromptOptions, terminalPrompt } from "./adapters/terminal.ts";
export { type TerminalDevicePromptOptions, terminalDevicePrompt } from "./adapters/terminal-device.ts";
export type { SdkBearerProvider } from "./attach/bearer-provider.ts";
export type { SdkDiscoveryState, SdkOAuthProvider, SdkTokens } from "./attach/oauth-provider.ts";
export type { DpopMode } from "./authorization/dpop-choice.ts";
export type { ExtensionSettings } from "./authorization/extensions.ts";
export type {
  AssertionRequest,
  AssertionSource,
  ClientCredentialsGrant,
  ClientCredentialsInput,
  EnterpriseManagedGrant,
  JwtBearerGrant,
  MachineGrant,
  MachineGrantBase,
  SubjectToken,
  SubjectTokenRequest,
} from "./authorization/machine-grants.ts";
export type { NarrowScope } from "./authorization/scope.ts";
export type { CancelTimer, Clock } from "./core/clock.ts";
export {
  findMcpOAuthError,
  McpOAuthError,
  type McpOAuthErrorCode,
  type McpOAuthErrorDetails,
  mcpOAuthErrorCodes,
} from "./core/errors.ts";
export type { EventBase, McpOAuthEvent, McpOAuthEventName, McpOAuthEvents } from "./core/events.ts";
export type { Fetch } from "./core/http.ts";
export { assertOpenableUrl } from "./core/openable-url.ts";
export { Secret } from "./core/secret.ts";
export type { AuthorizationServerChoice } from "./discovery/discover.ts";
export type { OriginQuestion } from "./discovery/origins.ts";
export { type IssuerProfile, knownIssuerProfiles } from "./endpoint/issuer-profile.ts";
export type { PrivateKeyInput } from "./endpoint/private-key.ts";
export type { SignInFlow } from "./flow/context.ts";
export type { ImportedClient, ImportedSession } from "./flow/import-session.ts";
export type { ClientRemovalOutcome } from "./flow/remove-client.ts";
export type { RevocationOutcome, SignOutResult } from "./flow/sign-out.ts";
export type { SessionStatus } from "./flow/status.ts";
export type { OpenBrowser } from "./ports/browser.ts";
export type { DeviceSignIn, PromptForDevice } from "./ports/device-prompt.ts";
export type { AuthorizationPrompt, PromptForRedirect } from "./ports/prompt.ts";
export type {
  PendingRedirect,
  RedirectArrival,
  RedirectOptions,
  RedirectPage,
  RedirectReceiver,
} from "./ports/redirect-receiver.ts";
export type { KeysOptions, LockHandle, LockOptions, StoredRecord, TokenStore } from "./ports/token-store.ts";
export { type CheckClientMetadataUrlOptions, checkClientMetadataUrl } from "./registration/hosted-metadata-document.ts";
export {
  type ClientMetadataDocumentOptions,
  clientMetadataDocument,
  lintClientMetadataDocument,
  type MetadataDocumentFinding,
} from "./registration/metadata-document-tools.ts";
export type { PreRegisteredClient } from "./registration/pre-registered.ts";
export { TokenManager } from "./token-manager.ts";
export type {
  AccountOptions,
  GetOptions,
  ImportSessionOptions,
  SetTokenOptions,
  SignInOptions,
  SignOutOptions,
  TokenResult,
} from "./token-manager-calls.ts";
export type { StoreOptions, TokenManagerOptions } from "./token-manager-options.ts";
export type { SessionKey } from "./tokens/credential.ts";
export type { SessionPolicy, SessionPolicyOption } from "./tokens/session-policy.ts";
