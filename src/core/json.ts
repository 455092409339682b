/** A JSON object of unknown shape, as it came over the wire. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses a JSON object; anything else (invalid JSON, an array, a bare value) gives `undefined`. */
export function parseJsonObject(text: string): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isJsonObject(value) ? value : undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The member when it is a text that is not empty. */
export function textMember(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The member when it is an array of texts. */
export function textsMember(object: JsonObject, name: string): string[] | undefined {
  const value = object[name];
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}
