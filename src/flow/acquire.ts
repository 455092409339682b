/**
 * All that is needed to get a first token, loaded together when one has to be got: a program that finds its session in the
 * store starts without it.
 */
export { discover } from "../discovery/discover.ts";
export { credentialByGrant } from "./machine-sign-in.ts";
export { renewByGrant } from "./renew-by-grant.ts";
export { performSignIn } from "./sign-in.ts";
