import { authorizationResponse, loopbackRequest, pastedRedirect } from "./parsers/callback.ts";
import { builtChallenge, challenge } from "./parsers/challenge.ts";
import { authorizationServer, discovery, legacyAuthorizationServer, protectedResource } from "./parsers/discovery.ts";
import { clientRecord, sessionKey, sessionRecord } from "./parsers/sessions.ts";
import { clientMetadataLint, serverUrl, sseEndpoint } from "./parsers/small.ts";
import { encryptedFile, keychainIndex, keychainItems } from "./parsers/stores.ts";
import { deviceAuthorization, registrationResponse, retryAfter, tokenResponse } from "./parsers/token-endpoint.ts";
import type { FuzzTarget } from "./target.ts";

/** Every reader of what comes from outside, in the order in which a sign-in meets them. */
export const targets: readonly FuzzTarget[] = [
  serverUrl,
  challenge,
  builtChallenge,
  protectedResource,
  authorizationServer,
  legacyAuthorizationServer,
  discovery,
  registrationResponse,
  clientMetadataLint,
  authorizationResponse,
  loopbackRequest,
  pastedRedirect,
  deviceAuthorization,
  tokenResponse,
  retryAfter,
  sseEndpoint,
  sessionKey,
  sessionRecord,
  clientRecord,
  encryptedFile,
  keychainItems,
  keychainIndex,
];
