import { isJsonObject, type JsonObject } from "../../core/json.ts";

/**
 * What an access token says in the clear, where it is a JWT (RFC 9068). Unchecked: it is used as a hint that something
 * else has to confirm.
 */
export function claimsOf(accessToken: string): JsonObject {
  const [, payload = ""] = accessToken.split(".");
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    return isJsonObject(claims) ? claims : {};
  } catch {
    return {};
  }
}
