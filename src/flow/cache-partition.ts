import { sha256 } from "../core/entropy.ts";
import { type Credential, isMachineCredential, type SessionKey } from "../tokens/credential.ts";

/**
 * Names the authorization context of a credential: the same for as long as its session lasts, whatever its tokens are,
 * and another for each account, issuer, client and sign-in, since anybody may have signed in the next time. A machine is
 * always the same one, however often it signs in.
 */
export function cachePartitionOf(key: SessionKey, credential: Credential): string {
  const { issuer, client, flow, signedInAt } = credential;
  const signIn = isMachineCredential(credential) ? flow : signedInAt;
  // Hashed, so that nobody reads anything out of it.
  return sha256(JSON.stringify([key.server, key.account, issuer, client.clientId, signIn]));
}
