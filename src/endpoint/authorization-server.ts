import type { AuthorizationServer } from "oauth4webapi";

/**
 * Authorization server metadata (RFC 8414 section 2), with the member names of the wire.
 *
 * Endpoints have been checked to be https, or http on loopback.
 */
export type AuthorizationServerMetadata = Readonly<AuthorizationServer>;
