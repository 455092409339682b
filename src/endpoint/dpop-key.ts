import type { CryptoKeyPair, DPoPHandle } from "oauth4webapi";
import { subtle } from "../core/entropy.ts";
import { McpOAuthError } from "../core/errors.ts";
import { parseJsonObject, textMember } from "../core/json.ts";
import { Secret } from "../core/secret.ts";

/** The signature algorithms that we can do, best first (RFC 9449 section 5.1: asymmetric ones only). */
const ALGORITHMS = ["ES256", "Ed25519", "PS256", "RS256"] as const;

/** An algorithm that both sides take. An absent list excludes nothing. */
export function chooseDpopAlgorithm(...supported: readonly (readonly string[] | undefined)[]): string | undefined {
  return ALGORITHMS.find((algorithm) => supported.every((list) => list === undefined || list.includes(algorithm)));
}

/** The parameters of WebCrypto for a JWK of one of our algorithms. */
function importParameters(algorithm: string): AlgorithmIdentifier | EcKeyImportParams | RsaHashedImportParams {
  if (algorithm === "ES256") return { name: "ECDSA", namedCurve: "P-256" };
  if (algorithm === "Ed25519") return { name: "Ed25519" };
  return { name: algorithm === "PS256" ? "RSA-PSS" : "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
}

/**
 * A key that tokens are bound to (RFC 9449). It lives as long as the grant, and so across restarts: it is made
 * extractable once, to be kept with the credential, and used from then on as a key that cannot be exported.
 */
export class DpopKey {
  /** Proofs and nonces at the authorization server. */
  readonly atAuthorizationServer: DPoPHandle;
  /** Proofs and nonces at the resource; the two never mix (RFC 9449 section 8.2). */
  readonly atResource: DPoPHandle;
  /** The private key as a JWK, for the token store. */
  readonly record: Secret;

  private constructor(record: Secret, atAuthorizationServer: DPoPHandle, atResource: DPoPHandle) {
    this.record = record;
    this.atAuthorizationServer = atAuthorizationServer;
    this.atResource = atResource;
  }

  /** Makes a new key. */
  static async create(algorithm: string): Promise<DpopKey> {
    const oauth = await import("oauth4webapi");
    const pair = await oauth.generateKeyPair(algorithm, { extractable: true });
    const jwk = { ...(await subtle().exportKey("jwk", pair.privateKey)), alg: algorithm };
    return DpopKey.restore(new Secret(JSON.stringify(jwk)));
  }

  /**
   * Brings a stored key back.
   *
   * @throws `store_unreadable` when it is not one.
   */
  static async restore(record: Secret): Promise<DpopKey> {
    const oauth = await import("oauth4webapi");
    const pair = await importPair(record);
    return new DpopKey(record, oauth.DPoP({}, pair), oauth.DPoP({}, pair));
  }

  /** The key's thumbprint (RFC 7638), by which the authorization code is bound to it (RFC 9449 section 10). */
  thumbprint(): Promise<string> {
    return this.atAuthorizationServer.calculateThumbprint();
  }
}

async function importPair(record: Secret): Promise<CryptoKeyPair> {
  const jwk = parseJsonObject(record.reveal()) ?? {};
  const parameters = importParameters(textMember(jwk, "alg") ?? "");
  try {
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, key_ops: _operations, ...publicJwk } = jwk;
    const { key_ops: _usages, ...privateJwk } = jwk;
    return {
      privateKey: await subtle().importKey("jwk", privateJwk, parameters, false, ["sign"]),
      publicKey: await subtle().importKey("jwk", publicJwk, parameters, true, ["verify"]),
    };
  } catch {
    // The reason may quote the key.
    const message =
      "A stored DPoP key cannot be read, so the session that is bound to it cannot be used. Sign in again.";
    throw new McpOAuthError("store_unreadable", message);
  }
}

const restored = new WeakMap<Secret, Promise<DpopKey>>();

/** The key of a credential, imported once. */
export function dpopKeyOf(record: Secret): Promise<DpopKey> {
  const known = restored.get(record) ?? DpopKey.restore(record);
  restored.set(record, known);
  return known;
}

/** Notes a key that is in memory already. */
export function rememberDpopKey(key: DpopKey): void {
  restored.set(key.record, Promise.resolve(key));
}
