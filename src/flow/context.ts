import type { DpopMode } from "../authorization/dpop-choice.ts";
import type { MachineGrant } from "../authorization/machine-grants.ts";
import type { NarrowScope } from "../authorization/scope.ts";
import type { Clock } from "../core/clock.ts";
import type { EventHub } from "../core/events.ts";
import type { Http } from "../core/http.ts";
import type { MetadataCache } from "../discovery/cache.ts";
import type { DiscoveryPolicy } from "../discovery/discover.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import type { IssuerProfiles } from "../endpoint/issuer-profile.ts";
import type { OpenBrowser } from "../ports/browser.ts";
import type { PromptForDevice } from "../ports/device-prompt.ts";
import type { PromptForRedirect } from "../ports/prompt.ts";
import type { RedirectOptions, RedirectReceiver } from "../ports/redirect-receiver.ts";
import type { TokenStore } from "../ports/token-store.ts";
import type { ClientRegistry } from "../registration/registry.ts";
import type { TokenCoordinator } from "../tokens/coordinator.ts";

/**
 * How the user takes part in a sign-in. `auto`: the browser, and where none can be opened the device flow, if the server
 * has it, or else the prompt. Where the server has no authorization endpoint, or does not offer PKCE with S256, the device
 * flow as well.
 */
export type SignInFlow = "auto" | "browser" | "paste" | "device";

/** What all sessions of one token manager share. */
export interface FlowContext {
  readonly clientName: string;
  readonly clock: Clock;
  readonly http: Http;
  readonly events: EventHub;
  readonly store: TokenStore;
  readonly registry: ClientRegistry;
  readonly coordinator: TokenCoordinator;
  readonly metadataCache: MetadataCache<AuthorizationServerMetadata>;
  readonly discoveryPolicy: DiscoveryPolicy;
  readonly profiles: IssuerProfiles;
  readonly receiver: RedirectReceiver;
  readonly redirect: RedirectOptions;
  readonly openBrowser: OpenBrowser;
  readonly prompt: PromptForRedirect | undefined;
  readonly devicePrompt: PromptForDevice | undefined;
  readonly interactive: boolean;
  readonly expectAuthorization: boolean;
  readonly signInTimeoutMs: number;
  readonly narrowScope: NarrowScope | undefined;
  readonly dpop: DpopMode;
  readonly grants: readonly MachineGrant[];
}
