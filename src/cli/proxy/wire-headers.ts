import { isJsonObject, type JsonObject } from "../../core/json.ts";
import type { Message } from "./json-rpc.ts";

/** Where a message says which revision it is of, from 2026-07-28 on. */
const VERSION_KEY = "io.modelcontextprotocol/protocolVersion";

/** The member of the parameters that the header Mcp-Name repeats. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PLAIN_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
const LOOKS_ENCODED = /^=\?base64\?.*\?=$/s;

/** The revision that a message names itself; `undefined` for those of revisions before 2026-07-28. */
export function revisionOf({ params }: Message): string | undefined {
  const meta = params?._meta;
  const revision = isJsonObject(meta) ? meta[VERSION_KEY] : undefined;
  return typeof revision === "string" ? revision : undefined;
}

/** A text as a header can carry it (MCP 2026-07-28, Streamable HTTP, "value encoding"). */
export function headerValue(text: string): string {
  if (PLAIN_VALUE.test(text) && !LOOKS_ENCODED.test(text)) return text;
  return `=?base64?${Buffer.from(text, "utf8").toString("base64")}?=`;
}

/** A tool's argument that is repeated in a header. */
interface MirroredArgument {
  readonly path: readonly string[];
  readonly header: string;
}

/** The arguments that an input schema wants in headers, by `x-mcp-header`. */
function mirroredArguments(schema: unknown, path: readonly string[] = []): MirroredArgument[] {
  if (!isJsonObject(schema) || !isJsonObject(schema.properties)) return [];
  return Object.entries(schema.properties).flatMap(([name, property]) => {
    const here = [...path, name];
    const header = isJsonObject(property) ? property["x-mcp-header"] : undefined;
    const own = typeof header === "string" && HEADER_NAME.test(header) ? [{ path: here, header }] : [];
    return [...own, ...mirroredArguments(property, here)];
  });
}

function argumentAt(args: unknown, path: readonly string[]): string | undefined {
  let value = args;
  for (const name of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  const isExact = typeof value === "number" && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return typeof value === "string" || typeof value === "boolean" || isExact ? String(value) : undefined;
}

/**
 * The headers in which a POST repeats what its message says, from revision 2026-07-28 on, so that what stands between
 * client and server can act on it unread. Messages on stdio have none, so they are made here.
 */
export class WireHeaders {
  readonly #mirrored = new Map<string, readonly MirroredArgument[]>();

  /** Learns from the result of `tools/list` which arguments have to be repeated. */
  learn(tools: readonly unknown[]): void {
    for (const tool of tools) {
      if (isJsonObject(tool) && typeof tool.name === "string") {
        this.#mirrored.set(tool.name, mirroredArguments(tool.inputSchema));
      }
    }
  }

  /** None for messages of earlier revisions. */
  of(message: Message): Record<string, string> {
    const revision = revisionOf(message);
    const { method, params = {} } = message;
    if (revision === undefined || method === undefined) return {};
    const member = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
    const name = member === undefined ? undefined : params[member];
    return {
      "mcp-protocol-version": revision,
      "mcp-method": method,
      ...(typeof name === "string" && { "mcp-name": headerValue(name) }),
      ...(method === "tools/call" && typeof name === "string" && this.#mirroredIn(name, params)),
    };
  }

  #mirroredIn(tool: string, params: JsonObject): Record<string, string> {
    const values = (this.#mirrored.get(tool) ?? []).map(
      ({ header, path }) => [`mcp-param-${header}`, argumentAt(params.arguments, path)] as const,
    );
    return Object.fromEntries(
      values.flatMap(([header, value]) => (value === undefined ? [] : [[header, headerValue(value)]])),
    );
  }
}
