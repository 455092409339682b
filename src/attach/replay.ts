/** A request taken apart so that it can be sent again. */
export interface ReplayableRequest {
  readonly url: URL;
  readonly init: RequestInit;
  /** False for a body that can be read only once. */
  readonly replayable: boolean;
}

/** Members of a Request that an init has too; the body and the URL are handled apart. */
function initOf(request: Request): RequestInit {
  return {
    method: request.method,
    headers: request.headers,
    signal: request.signal,
    redirect: request.redirect,
    credentials: request.credentials,
    cache: request.cache,
    keepalive: request.keepalive,
    mode: request.mode === "navigate" ? "cors" : request.mode,
  };
}

/** What `fetch` reads of an init (Fetch standard, "RequestInit"), and Node's two of its own. */
const MEMBERS = [
  ...[
    "method",
    "headers",
    "body",
    "mode",
    "credentials",
    "cache",
    "redirect",
    "referrer",
    "referrerPolicy",
    "integrity",
  ],
  ...["keepalive", "signal", "duplex", "priority", "window", "dispatcher"],
] as (keyof RequestInit)[];

/** Whether an object has all that can be read of it as members of its own. */
function isPlain(init: RequestInit): boolean {
  return Object.getPrototypeOf(init) === Object.prototype;
}

/** As `fetch` reads an init: now, whatever the caller does with it later, and a member that is `undefined` is not there. */
function presentMembers(init: RequestInit): RequestInit {
  const present: Record<string, unknown> = {};
  // A host's own fetch may know more members than the standard has.
  const own = Object.entries(init);
  // A Request may stand here as well, and has its members by inheritance.
  const members = isPlain(init) ? own : [...MEMBERS.map((name): [string, unknown] => [name, init[name]]), ...own];
  for (const [name, value] of members) if (value !== undefined) present[name] = value;
  if (present.headers !== undefined) present.headers = new Headers(present.headers as HeadersInit);
  return present;
}

/** Bodies that a fetch reads without using them up, though they may change or read differently the next time. */
function isReadable(body: unknown): body is ArrayBuffer | ArrayBufferView | URLSearchParams | FormData {
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true;
  return body instanceof URLSearchParams || body instanceof FormData;
}

/**
 * The same request with a body that gives the same bytes each time, also where the caller changes its buffer meanwhile,
 * or where each sending would invent a new multipart boundary (Fetch standard, "extract a body").
 */
async function withFixedBody(url: URL, init: RequestInit): Promise<ReplayableRequest> {
  const { body } = init;
  if (body === undefined || body === null || typeof body === "string" || body instanceof Blob) {
    return { url, init, replayable: true };
  }
  if (!isReadable(body)) return { url, init, replayable: false };
  const extracted = new Response(body as BodyInit);
  const type = extracted.headers.get("content-type");
  const headers = new Headers(init.headers);
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
  return { url, init: { ...init, headers, body: await extracted.arrayBuffer() }, replayable: true };
}

/** The URL of a `fetch` call. */
export function urlOf(input: string | URL | Request): URL {
  return new URL(typeof input === "object" && "url" in input ? input.url : String(input));
}

/**
 * Takes the arguments of a `fetch` call apart. What `init` has wins over what a Request has, as in `fetch`; a Request's own
 * body is read into memory, which makes it replayable.
 */
export async function takeApart(
  input: string | URL | Request,
  init: RequestInit | undefined,
  url: URL = urlOf(input),
): Promise<ReplayableRequest> {
  const given = presentMembers(init ?? {});
  if (typeof input !== "object" || !("url" in input)) return withFixedBody(url, given);
  const whole = { ...initOf(input), ...given };
  const isGiven = given.body !== undefined && given.body !== null;
  if (isGiven || input.body === null) return withFixedBody(url, whole);
  return { url, init: { ...whole, body: await input.arrayBuffer() }, replayable: true };
}
