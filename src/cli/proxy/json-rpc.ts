import { isJsonObject, type JsonObject } from "../../core/json.ts";

/** What a request is known by. */
export type RequestId = string | number;

export interface JsonRpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** A message of JSON-RPC 2.0 as it came, with all its members; only what the bridge looks at has a type. */
export interface Message {
  readonly jsonrpc: "2.0";
  readonly id?: RequestId | null;
  readonly method?: string;
  readonly params?: JsonObject;
  readonly result?: unknown;
  readonly error?: JsonRpcError;
}

export type Request = Message & { readonly id: RequestId; readonly method: string };

/** Of the range that JSON-RPC leaves to implementations (section 5.1). */
export const CANNOT_FORWARD = -32_000;
export const PARSE_ERROR = -32_700;
export const INVALID_REQUEST = -32_600;

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" || typeof value === "number";
}

/** Whether a value is a message, as far as somebody who passes it on has to know. */
export function isMessage(value: unknown): value is Message {
  if (!isJsonObject(value) || value.jsonrpc !== "2.0") return false;
  if (value.params !== undefined && !isJsonObject(value.params)) return false;
  return typeof value.method === "string" || "result" in value || isJsonObject(value.error);
}

export function isRequest(message: Message): message is Request {
  return message.method !== undefined && isRequestId(message.id);
}

export function isNotification(message: Message): boolean {
  return message.method !== undefined && !isRequestId(message.id);
}

/** The id of the request that a message answers; `undefined` when it answers none. */
export function answeredId(message: Message): RequestId | undefined {
  return message.method === undefined && isRequestId(message.id) ? message.id : undefined;
}

/** The id under which the sender of something that is no message may wait for an answer; `null` where none can be seen. */
export function awaitedId(value: unknown): RequestId | null {
  return isJsonObject(value) && "method" in value && isRequestId(value.id) ? value.id : null;
}

/** A key for maps: the text "1" and the number 1 are different ids. */
export function keyOf(id: RequestId): string {
  return JSON.stringify(id);
}

/** The error object of a text that is a JSON-RPC error response, whichever request it names. */
export function errorOf(text: string): JsonRpcError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    const isError = isJsonObject(error) && typeof error.code === "number" && typeof error.message === "string";
    return isError ? (error as unknown as JsonRpcError) : undefined;
  } catch {
    return undefined;
  }
}
