import { type JsonObject, textMember, textsMember } from "../../core/json.ts";
import type { AuthorizationServerMetadata } from "../../endpoint/authorization-server.ts";

/**
 * What of a document can be looked at although the library refuses it: members of the right type. Nothing is ever sent to
 * an endpoint that stands only here.
 */
export function observedMetadata(document: JsonObject, issuer: string): AuthorizationServerMetadata {
  const kept = Object.entries(document).filter(
    ([name, value]) =>
      typeof value === "boolean" ||
      textMember(document, name) !== undefined ||
      (Array.isArray(value) && textsMember(document, name) !== undefined),
  );
  return { ...Object.fromEntries(kept), issuer };
}
