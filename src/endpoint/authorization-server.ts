import type { AuthorizationServer } from "oauth4webapi";

/** Not a name of the wire, so that no document can bring it along. */
const OWN_ISSUER: unique symbol = Symbol("own issuer");

/**
 * Authorization server metadata (RFC 8414 section 2), with the member names of the wire.
 *
 * Endpoints have been checked to be https, or http on loopback.
 */
export type AuthorizationServerMetadata = Readonly<AuthorizationServer> & { readonly [OWN_ISSUER]?: string };

/** Notes how a server names itself where an issuer profile lets the resource name it otherwise. */
export function withOwnIssuer(metadata: AuthorizationServerMetadata, own: unknown): AuthorizationServerMetadata {
  return own === metadata.issuer || typeof own !== "string" ? metadata : { ...metadata, [OWN_ISSUER]: own };
}

/** How a server names itself: in its authorization responses, and in what is addressed to it. */
export function ownIssuer(metadata: AuthorizationServerMetadata): string {
  return metadata[OWN_ISSUER] ?? metadata.issuer;
}
