/** Loads what a token request needs, for somebody who is about to make one. Should that fail, the request meets the error. */
export function prepareTokenRequest(): void {
  import("oauth4webapi").catch(() => undefined);
}
