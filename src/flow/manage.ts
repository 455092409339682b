/**
 * What a host does with sessions beside making requests, loaded together when it first does: a program that only makes
 * requests starts without it.
 */
export { importSession } from "./import-session.ts";
export { signOutSession } from "./sign-out.ts";
export { staticCredential } from "./static-token.ts";
export { statusOf, unknownSession } from "./status.ts";
