import { isLoopbackHost, isWithin } from "../core/url.ts";

const MOST_VOUCHED = 100;

/**
 * Where a resource's token may go: to the server's URL and below it, and to the few other URLs of the same origin that
 * the server itself named in an answer to an authorized request (a redirect, the message endpoint of an SSE stream).
 * Never to another origin, and never over plain http except on loopback.
 */
export class ResourceScope {
  readonly #server: URL;
  readonly #withoutQuery: URL;
  readonly #vouched = new Set<string>();
  /** What was found to be included, to which most requests go again; nothing is ever taken out. */
  #includedLast: string | undefined;

  constructor(server: string) {
    this.#server = new URL(server);
    this.#withoutQuery = new URL(server);
    this.#withoutQuery.search = "";
  }

  /** Whether a token may travel to this URL. */
  includes(target: URL): boolean {
    if (target.href === this.#includedLast) return true;
    const isIncluded = this.#looksIncluded(target);
    if (isIncluded) this.#includedLast = target.href;
    return isIncluded;
  }

  /** Takes in a URL that the server named; one of another origin is not taken in. */
  vouch(reference: string, base: URL): URL | undefined {
    if (!URL.canParse(reference, base.href)) return undefined;
    const target = new URL(reference, base);
    if (target.origin === this.#server.origin && this.#vouched.size < MOST_VOUCHED) this.#vouched.add(target.pathname);
    return target;
  }

  #looksIncluded(target: URL): boolean {
    if (target.origin !== this.#server.origin) return false;
    if (target.protocol !== "https:" && !isLoopbackHost(target.hostname)) return false;
    return this.#vouched.has(target.pathname) || isWithin(this.#withoutQuery, target);
  }
}
