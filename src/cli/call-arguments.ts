import { isJsonObject, parseJsonObject } from "../core/json.ts";
import { quoted } from "../core/text.ts";
import { CommandFailed } from "./command-failed.ts";
import { exitCodes } from "./exit-codes.ts";
import { parametersOf, typesOf } from "./schema-words.ts";

type Arguments = Record<string, unknown>;

function notUnderstood(message: string): CommandFailed {
  return new CommandFailed(message, exitCodes.usage, { code: "invalid_argument" });
}

/** A tool's arguments as one JSON object: from the command line, or for `-` from what `readStdin` gives. */
export async function argumentsOf(json: string | undefined, readStdin: () => Promise<string>): Promise<Arguments> {
  const text = json === "-" ? await readStdin() : (json ?? "{}");
  const value = parseJsonObject(text);
  if (value === undefined) {
    throw notUnderstood(
      `The arguments must be a JSON object, such as '{"text":"hello"}'; this is not: ${quoted(text)}`,
    );
  }
  return value;
}

/** A value as the tool's schema wants it: text stays text unless only something else is allowed. */
function typedValue(text: string, types: readonly string[], name: string): unknown {
  if (types.length === 0 || types.includes("string")) return text;
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    throw notUnderstood(`The parameter ${quoted(name)} takes ${types.join(" or ")}; this is not: ${quoted(text)}`);
  }
}

/**
 * The arguments of `--arg name=value`.
 *
 * @param inputSchema what the tool says of itself, for the types of values.
 */
export function namedArguments(given: readonly string[], inputSchema: unknown): Arguments {
  const parameters = new Map(parametersOf(inputSchema).map((parameter) => [parameter.name, parameter]));
  const pairs = given.map((pair): [string, unknown] => {
    const separator = pair.indexOf("=");
    if (separator < 1) throw notUnderstood(`--arg takes name=value; this is not: ${quoted(pair)}`);
    const name = pair.slice(0, separator);
    const schema = parameters.get(name)?.schema;
    return [name, typedValue(pair.slice(separator + 1), isJsonObject(schema) ? typesOf(schema) : [], name)];
  });
  return Object.fromEntries(pairs);
}
