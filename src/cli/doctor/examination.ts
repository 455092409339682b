import type { ResourceChallenge } from "../../challenge/read.ts";
import type { Clock } from "../../core/clock.ts";
import type { Discovery } from "../../discovery/discover.ts";
import type { OriginPolicy } from "../../discovery/origins.ts";
import type { ProtectedResourceMetadata } from "../../discovery/protected-resource.ts";
import type { AuthorizationServerMetadata } from "../../endpoint/authorization-server.ts";
import { IssuerProfiles } from "../../endpoint/issuer-profile.ts";
import type { RecordingHttp } from "./recording-http.ts";

/** What all parts of an examination work with. */
export interface Examination {
  /** The MCP server's URL in canonical form. */
  readonly server: string;
  readonly http: RecordingHttp;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What is known of a server when all its metadata has been looked at. */
export interface Evidence {
  /** What a sign-in starts from; absent where the server has not asked for one. */
  readonly challenge?: ResourceChallenge;
  /** What the library would go on with; absent where it would stop. */
  readonly discovery?: Discovery;
  /** The resource's metadata, if need be as it would be accepted. */
  readonly resource?: ProtectedResourceMetadata;
  /** The authorization server's metadata, if need be as it would be accepted. */
  readonly authorizationServer?: AuthorizationServerMetadata;
}

/** Something that the library accepts although a strict reading refuses it. */
export interface Deviation {
  readonly rule: string;
  readonly detail: string;
}

/** How the library judges by default; what it lets pass is told. */
export function strictPolicy(
  onDeviation: (deviation: Deviation) => void,
): Required<Omit<OriginPolicy, "acceptOrigin">> {
  return {
    onDeviation: (rule, detail) => onDeviation({ rule, detail }),
    profiles: new IssuerProfiles([], ({ issuer, relaxation, source }) =>
      onDeviation({ rule: relaxation, detail: `${issuer} is known to need it${source ? ` (${source})` : ""}` }),
    ),
  };
}

/** For going on behind what the library stops at, to see what comes next. */
export const acceptEverything = { acceptResource: () => true, acceptOrigin: () => true };
