/** A request taken apart so that it can be sent again. */
export interface ReplayableRequest {
  readonly url: URL;
  readonly init: RequestInit;
  /** False for a body that can be read only once. */
  readonly replayable: boolean;
}

/** Bodies that a fetch reads without using them up (Fetch standard, "extract a body"). */
function isReusable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === "string") return true;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true;
  return body instanceof URLSearchParams || body instanceof Blob || body instanceof FormData;
}

/** A Request's own members as an init; its body is read into memory, which makes it replayable. */
async function initOf(request: Request): Promise<RequestInit> {
  const body = request.body === null ? undefined : await request.clone().arrayBuffer();
  return {
    method: request.method,
    headers: request.headers,
    signal: request.signal,
    redirect: request.redirect,
    credentials: request.credentials,
    cache: request.cache,
    mode: request.mode === "navigate" ? "cors" : request.mode,
    ...(body !== undefined && { body }),
  };
}

/** Takes the arguments of a `fetch` call apart. What `init` has wins over what a Request has, as in `fetch`. */
export async function takeApart(
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<ReplayableRequest> {
  const isRequest = typeof input === "object" && "url" in input;
  const url = new URL(isRequest ? input.url : String(input));
  const whole = isRequest ? { ...(await initOf(input)), ...init } : { ...init };
  return { url, init: whole, replayable: isReusable(whole.body) };
}
