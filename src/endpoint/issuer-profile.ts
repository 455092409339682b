/**
 * How one issuer deviates from the specifications, as data. Each member relaxes or adds one thing, for that issuer alone;
 * whenever one is used, the event `deviation` says so.
 */
export interface IssuerProfile {
  /** The issuer identifier; `*` stands for one host label or one path segment. */
  readonly issuer: string;
  /** Where the deviation is documented in public. */
  readonly source?: string;
  /** PKCE with S256 works although the metadata does not advertise it. */
  readonly assumePkce?: boolean;
  /** Metadata may name the issuer with a trailing slash more or less than the resource does. */
  readonly ignoreTrailingSlash?: boolean;
  /** Other values of `issuer` that the metadata may have. */
  readonly acceptMetadataIssuers?: readonly string[];
  /** Origins other than the issuer's that its endpoints may be at; `*` stands for one host label. */
  readonly endpointOrigins?: readonly string[];
  /** The `resource` parameter is refused, so it is left out. */
  readonly omitResource?: boolean;
  /** A refresh must repeat the scope. */
  readonly scopeOnRefresh?: boolean;
  /** Further parameters of the authorization request. */
  readonly authorizeParameters?: Readonly<Record<string, string>>;
  /** The host of the redirect URI, where only one spelling is taken. */
  readonly redirectHost?: "localhost" | "127.0.0.1";
  /** The port of the redirect URI, where it must be the registered one. */
  readonly redirectPort?: number;
}

/** The deviations that well-known issuers document. */
export const knownIssuerProfiles: readonly IssuerProfile[] = [
  {
    issuer: "https://login.microsoftonline.com/*/v2.0",
    source: "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow",
    assumePkce: true,
    // The metadata of the shared tenants has this text, unfilled.
    acceptMetadataIssuers: ["https://login.microsoftonline.com/{tenantid}/v2.0"],
    omitResource: true,
    scopeOnRefresh: true,
    redirectHost: "localhost",
  },
  {
    issuer: "https://accounts.google.com",
    source: "https://developers.google.com/identity/protocols/oauth2/web-server",
    endpointOrigins: ["https://oauth2.googleapis.com"],
    omitResource: true,
    authorizeParameters: { access_type: "offline", prompt: "consent" },
  },
  {
    issuer: "https://cognito-idp.*.amazonaws.com/*",
    source: "https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html",
    endpointOrigins: ["https://*.auth.*.amazoncognito.com"],
  },
  {
    issuer: "https://vercel.com",
    source: "https://vercel.com/docs/sign-in-with-vercel/authorization-server-api",
    endpointOrigins: ["https://api.vercel.com"],
  },
  {
    issuer: "https://*.auth0.com",
    source: "https://auth0.com/docs/get-started/applications/configure-applications-with-oidc-discovery",
    ignoreTrailingSlash: true,
  },
  {
    issuer: "https://*.*.auth0.com",
    source: "https://auth0.com/docs/get-started/applications/configure-applications-with-oidc-discovery",
    ignoreTrailingSlash: true,
  },
];

/** Whether an issuer, or an origin, is the one that a pattern names. A `*` never spans a slash, nor within the host a dot. */
function matches(pattern: string, issuer: string): boolean {
  const [, host = "", path = ""] = /^([a-z]+:\/\/[^/]*)(.*)$/i.exec(pattern) ?? [];
  const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  const exact = escaped(host).replaceAll("*", "[^./]+") + escaped(path).replaceAll("*", "[^/]+");
  return host !== "" && new RegExp(`^${exact}/?$`).test(issuer);
}

/** What is told when a profile is used. */
export interface ProfileUse {
  readonly issuer: string;
  readonly server: string;
  /** The member that was used. */
  readonly relaxation: Exclude<keyof IssuerProfile, "issuer" | "source">;
  readonly source: string | undefined;
}

/**
 * The profiles of a token manager. An issuer may have several: each member is taken from the first that has it, the host's
 * own before the known ones, so that a line for one member leaves the others as they are.
 */
export class IssuerProfiles {
  readonly #profiles: readonly IssuerProfile[];
  readonly #onUse: (use: ProfileUse) => void;

  constructor(own: readonly IssuerProfile[], onUse: (use: ProfileUse) => void) {
    this.#profiles = [...own, ...knownIssuerProfiles];
    this.#onUse = onUse;
  }

  /** The value of one member for an issuer; `undefined` where the strict rule holds. */
  peek<Name extends ProfileUse["relaxation"]>(member: Name, issuer: string): IssuerProfile[Name] | undefined {
    return this.#profileWith(member, issuer)?.[member];
  }

  /** As {@link IssuerProfiles.peek}, for a value that will be used: that is told. */
  use<Name extends ProfileUse["relaxation"]>(
    member: Name,
    issuer: string,
    server: string,
  ): IssuerProfile[Name] | undefined {
    const profile = this.#profileWith(member, issuer);
    const value = profile?.[member];
    if (value !== undefined && value !== false)
      this.#onUse({ issuer, server, relaxation: member, source: profile?.source });
    return value;
  }

  /** Whether the endpoints of an issuer may be at an origin other than its own. */
  listsOrigin(issuer: string, origin: string): boolean {
    const patterns = this.peek("endpointOrigins", issuer) ?? [];
    return patterns.some((pattern) => matches(pattern.replace(/\/$/, ""), origin));
  }

  #profileWith(member: ProfileUse["relaxation"], issuer: string): IssuerProfile | undefined {
    return this.#profiles.find((profile) => profile[member] !== undefined && matches(profile.issuer, issuer));
  }
}

/** The line that would relax a rule for an issuer, for error messages. */
export function relaxingLine(issuer: string, member: string): string {
  return `issuerProfiles: [{ issuer: ${JSON.stringify(issuer)}, ${member} }]`;
}
