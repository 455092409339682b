import { isJsonObject, type JsonObject } from "../core/json.ts";
import { inertText } from "../core/text.ts";

/** A parameter of a tool, in words. */
export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonObject;
}

/** The types that a JSON Schema allows; none where it says nothing of them. */
export function typesOf({ type, anyOf, oneOf }: JsonObject): string[] {
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return type.filter((each) => typeof each === "string");
  const choices = [anyOf, oneOf].flatMap((each) => (Array.isArray(each) ? each : []));
  return [...new Set(choices.filter(isJsonObject).flatMap(typesOf))];
}

/** A JSON Schema as a few words: `string`, `integer[]`, `"a" or "b"`. */
function typeWords(schema: JsonObject): string {
  const { enum: values, const: only, items } = schema;
  const single = only === undefined ? [] : [only];
  const listed = Array.isArray(values) ? values : single;
  if (listed.length > 0) return inertText(listed.map((value) => JSON.stringify(value)).join(" or "));
  const words = typesOf(schema).map((type) =>
    type === "array" && isJsonObject(items) ? `${typeWords(items)}[]` : type,
  );
  return words.length === 0 ? "anything" : inertText(words.join(" or "));
}

/** The parameters that an input schema names. */
export function parametersOf(inputSchema: unknown): Parameter[] {
  if (!isJsonObject(inputSchema) || !isJsonObject(inputSchema.properties)) return [];
  const required = Array.isArray(inputSchema.required) ? inputSchema.required : [];
  return Object.entries(inputSchema.properties).map(([name, property]) => {
    const schema = isJsonObject(property) ? property : {};
    const { description } = schema;
    return {
      name,
      schema,
      type: typeWords(schema),
      required: required.includes(name),
      ...(typeof description === "string" && { description }),
    };
  });
}
