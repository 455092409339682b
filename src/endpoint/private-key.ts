import { subtle, type webcrypto } from "../core/entropy.ts";
import { McpOAuthError } from "../core/errors.ts";
import { isJsonObject, parseJsonObject, textMember } from "../core/json.ts";
import { Secret } from "../core/secret.ts";

/**
 * A client's private key for `private_key_jwt`: a JWK, a PKCS #8 text in PEM, or a `CryptoKey` that need not be
 * extractable.
 */
export interface PrivateKeyInput {
  readonly key: webcrypto.CryptoKey | webcrypto.JsonWebKey | string | Secret;
  /** The signature algorithm, such as `ES256`. Default: the JWK's `alg`; needed for PEM. */
  readonly algorithm?: string;
  /** The `kid` by which the server finds the public key. Default: the JWK's `kid`. */
  readonly keyId?: string;
}

/** A key that is ready to sign. */
export interface SigningKey {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: string;
  readonly keyId?: string;
}

/** Fewer bits must not be used (RFC 7518 sections 3.3 and 3.5). */
const LEAST_RSA_BITS = 2048;
const EC_CURVES: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };

function importParameters(algorithm: string): AlgorithmIdentifier | EcKeyImportParams | RsaHashedImportParams {
  const curve = EC_CURVES[algorithm];
  if (curve !== undefined) return { name: "ECDSA", namedCurve: curve };
  if (algorithm === "Ed25519" || algorithm === "EdDSA") return { name: "Ed25519" };
  const hash = `SHA-${algorithm.slice(2)}`;
  if (/^RS(?:256|384|512)$/.test(algorithm)) return { name: "RSASSA-PKCS1-v1_5", hash };
  if (/^PS(?:256|384|512)$/.test(algorithm)) return { name: "RSA-PSS", hash };
  throw invalidKey(`has the algorithm ${JSON.stringify(algorithm)}; name an asymmetric one, such as ES256`);
}

function invalidKey(problem: string): McpOAuthError {
  return new McpOAuthError("invalid_configuration", `The private key of a client ${problem}.`);
}

/** The algorithm that a CryptoKey signs with. */
function algorithmOf(key: CryptoKey): string {
  const { name, namedCurve, hash } = key.algorithm as { name: string; namedCurve?: string; hash?: { name: string } };
  if (name === "ECDSA") return Object.entries(EC_CURVES).find(([, curve]) => curve === namedCurve)?.[0] ?? "";
  if (name === "Ed25519") return "Ed25519";
  if (name !== "RSA-PSS" && name !== "RSASSA-PKCS1-v1_5") throw invalidKey(`is one for ${name}, which signs nothing`);
  return `${name === "RSA-PSS" ? "PS" : "RS"}${hash?.name.slice(4) ?? ""}`;
}

/**
 * The algorithm that a key signs with, by the name that it was given. Checks, before anything is sent, what would otherwise
 * fail in the middle of a request.
 */
function signingAlgorithm(key: CryptoKey, named: string | undefined): string {
  if (key.type !== "private") throw invalidKey(`is a ${key.type} key; give the private one of its pair`);
  if (!key.usages.includes("sign")) throw invalidKey('may not sign; make or import it with the usage "sign"');
  const own = algorithmOf(key);
  // Refuses what is none of ours.
  importParameters(own);
  const algorithm = named ?? own;
  const isNamedOtherwise = own !== algorithm && !(own === "Ed25519" && algorithm === "EdDSA");
  if (isNamedOtherwise) throw invalidKey(`signs with ${own}, not with ${algorithm}`);
  const { modulusLength = LEAST_RSA_BITS } = key.algorithm as { modulusLength?: number };
  if (modulusLength >= LEAST_RSA_BITS) return algorithm;
  throw invalidKey(`has ${modulusLength} bits, and RSA needs ${LEAST_RSA_BITS}; make a longer one`);
}

function fromPem(pem: string): Uint8Array<ArrayBuffer> {
  const body = /-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/.exec(pem)?.[1];
  if (body === undefined) throw invalidKey("is no PKCS #8 text (-----BEGIN PRIVATE KEY-----) and no JWK");
  return new Uint8Array(Buffer.from(body.replace(/\s+/g, ""), "base64"));
}

async function importKey(input: PrivateKeyInput): Promise<SigningKey> {
  const { key } = input;
  if (key instanceof CryptoKey) {
    const algorithm = signingAlgorithm(key, input.algorithm);
    return { key, algorithm, ...(input.keyId !== undefined && { keyId: input.keyId }) };
  }
  const material = Secret.isSecret(key) ? key.reveal() : key;
  const jwk = typeof material === "string" ? parseJsonObject(material) : material;
  const algorithm = input.algorithm ?? (isJsonObject(jwk) ? textMember(jwk, "alg") : undefined);
  if (algorithm === undefined) throw invalidKey("needs its algorithm, such as ES256");
  const parameters = importParameters(algorithm);
  const keyId = input.keyId ?? (isJsonObject(jwk) ? textMember(jwk, "kid") : undefined);
  try {
    const imported =
      jwk === undefined
        ? await subtle().importKey("pkcs8", fromPem(String(material)), parameters, false, ["sign"])
        : await subtle().importKey("jwk", { ...jwk, key_ops: ["sign"] }, parameters, false, ["sign"]);
    signingAlgorithm(imported, algorithm);
    return { key: imported, algorithm, ...(keyId !== undefined && { keyId }) };
  } catch (error) {
    if (error instanceof McpOAuthError) throw error;
    // The reason may quote the key.
    throw invalidKey(`cannot be imported as a key for ${algorithm}`);
  }
}

const imported = new WeakMap<PrivateKeyInput, Promise<SigningKey>>();

/**
 * A configured key, ready to sign; each is imported once.
 *
 * @throws `invalid_configuration`.
 */
export function signingKeyOf(input: PrivateKeyInput): Promise<SigningKey> {
  const known = imported.get(input) ?? importKey(input);
  imported.set(input, known);
  return known;
}
