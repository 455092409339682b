import { inspect } from "node:util";

/** Everything that a log could show of a value: inspected with all that hangs on it, as JSON and as text. */
export function shown(value: unknown): string {
  const { stack, cause } = value instanceof Error ? value : { stack: "", cause: undefined };
  const asJson = JSON.stringify(value) ?? "";
  return [inspect(value, { depth: 20, showHidden: true }), asJson, String(value), stack, cause && shown(cause)].join(
    "\n",
  );
}
