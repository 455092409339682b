import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import type { Dispatcher, RequestInit as UndiciRequestInit } from "undici";
import type { Fetch } from "../core/http.ts";
import { isLoopbackHost } from "../core/url.ts";
import {
  addressRefused,
  mayName,
  type NetworkZone,
  type ResolveAddresses,
  zoneOf,
  zoneOfLiteral,
  zoneOfName,
} from "./address-guard.ts";

/** How OAuth requests travel. */
export interface NetworkOptions {
  /**
   * Whether servers may name machines in private networks or on loopback, wherever they are themselves. Default `false`:
   * only servers that are there themselves may. A server on loopback is one whose URL says so; one whose name only resolves
   * to loopback needs this option. Link-local addresses are never allowed.
   */
  allowPrivateAddresses?: boolean;
  /** Certificates of further authorities, in PEM; the system's and `NODE_EXTRA_CA_CERTS` hold in any case. */
  certificateAuthorities?: readonly string[];
  /** The client's own certificate and key, in PEM, for servers that ask for one. */
  clientCertificate?: { certificate: string; key: string };
  /** Environment variables that name proxies (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`). Default: the process's. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Looks host names up. Default: the system's resolver. */
  resolveAddresses?: ResolveAddresses;
}

/** Makes the `fetch` for the OAuth requests that one MCP server has caused. */
export type FetchFor = (server: string) => Fetch;

const systemResolver: ResolveAddresses = async (hostname) => {
  const { lookup } = await import("node:dns/promises");
  return lookup(hostname, { all: true, verbatim: true });
};

/** Proxies, and the hosts that are reached without one. */
interface Proxies {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** The proxies that environment variables name; `undefined` where there are none. */
function proxiesOf(environment: Readonly<Record<string, string | undefined>>): Proxies | undefined {
  const httpProxy = environment.http_proxy ?? environment.HTTP_PROXY ?? "";
  const httpsProxy = environment.https_proxy ?? environment.HTTPS_PROXY ?? "";
  if (httpProxy === "" && httpsProxy === "") return undefined;
  return { httpProxy, httpsProxy, noProxy: environment.no_proxy ?? environment.NO_PROXY ?? "" };
}

/**
 * Checks each address in the very lookup whose result is connected to, so that no second answer can differ.
 *
 * @param onPublic is told of names that have a public address.
 */
function guardedLookup(
  server: string,
  zone: NetworkZone,
  resolve: ResolveAddresses,
  onPublic: (hostname: string) => void,
): LookupFunction {
  return (hostname, options, callback) => {
    const check = async (): Promise<readonly LookupAddress[]> => {
      const addresses = await resolve(hostname);
      for (const { address } of addresses) {
        const found = await zoneOf(address);
        if (found === "public") onPublic(hostname);
        if (!mayName(zone, found)) throw addressRefused(hostname, found, server);
      }
      return addresses;
    };
    check().then(
      (addresses) => {
        const wanted = addresses.filter(({ family }) => !options.family || options.family === family);
        const [first] = wanted;
        if (options.all === true) callback(null, [...wanted]);
        else if (first === undefined)
          callback(Object.assign(new Error(`no address for ${hostname}`), { code: "ENOTFOUND" }), "");
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ""),
    );
  };
}

/** The authorities that hold without any option, `NODE_EXTRA_CA_CERTS` included: a list of one's own takes their place. */
async function usualAuthorities(): Promise<readonly string[]> {
  const tls: typeof import("node:tls") & { getCACertificates?: (type: "default") => string[] } = await import(
    "node:tls"
  );
  // From Node 22.15 on it says itself; before, it reads the file once at its start.
  if (tls.getCACertificates !== undefined) return tls.getCACertificates("default");
  const { readFile } = await import("node:fs/promises");
  const file = process.env.NODE_EXTRA_CA_CERTS;
  const extra = file === undefined ? "" : await readFile(file, "utf8").catch(() => "");
  return extra === "" ? tls.rootCertificates : [...tls.rootCertificates, extra];
}

class GuardedFetch {
  readonly #options: NetworkOptions;
  readonly #resolve: ResolveAddresses;
  readonly #proxies: Proxies | undefined;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  /** Names that have resolved to a public address once: they do not come inside by resolving to another. */
  readonly #outside = new Set<string>();

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#resolve = options.resolveAddresses ?? systemResolver;
    this.#proxies = proxiesOf(options.environment ?? process.env);
  }

  /** What a server is allowed to name depends on where it is itself. */
  async fetchFor(server: string, input: Parameters<Fetch>[0], init: RequestInit | undefined): Promise<Response> {
    const url = new URL(typeof input === "object" && "url" in input ? input.url : input);
    const zone = this.#options.allowPrivateAddresses === true ? "loopback" : await this.#zoneOfServer(server);
    // A name is checked in the lookup; an address in the URL is never looked up.
    const literal = await zoneOfLiteral(url.hostname);
    if (literal !== undefined && !mayName(zone, literal)) throw addressRefused(url.hostname, literal, server);
    const undici = await import("undici");
    const dispatcher = await this.#dispatcherFor(server, zone);
    return (await undici.fetch(url.href, { ...(init as UndiciRequestInit), dispatcher })) as unknown as Response;
  }

  async #zoneOfServer(server: string): Promise<NetworkZone> {
    const { hostname } = new URL(server);
    if (isLoopbackHost(hostname)) return "loopback";
    const literal = await zoneOfLiteral(hostname);
    if (literal !== undefined) return literal;
    if (!this.#outside.has(hostname) && (await this.#zoneOfName(hostname)) === "public") this.#outside.add(hostname);
    return this.#outside.has(hostname) ? "public" : "private";
  }

  async #zoneOfName(hostname: string): Promise<NetworkZone> {
    try {
      return await zoneOfName(hostname, this.#resolve);
    } catch (error) {
      // Where a proxy leads outside, often nobody but the proxy knows the names there.
      if (this.#proxies === undefined) throw error;
      return "public";
    }
  }

  #dispatcherFor(server: string, zone: NetworkZone): Promise<Dispatcher> {
    const name = `${zone} ${server}`;
    const known = this.#dispatchers.get(name) ?? this.#createDispatcher(server, zone);
    this.#dispatchers.set(name, known);
    return known;
  }

  async #createDispatcher(server: string, zone: NetworkZone): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent } = await import("undici");
    const { certificateAuthorities, clientCertificate } = this.#options;
    const tls = {
      ...(certificateAuthorities !== undefined && { ca: [...(await usualAuthorities()), ...certificateAuthorities] }),
      ...(clientCertificate !== undefined && { cert: clientCertificate.certificate, key: clientCertificate.key }),
    };
    const connect = { ...tls, lookup: guardedLookup(server, zone, this.#resolve, (name) => this.#outside.add(name)) };
    // Behind a proxy it is the proxy that connects, and its business to guard its network.
    return this.#proxies === undefined
      ? new Agent({ connect })
      : new EnvHttpProxyAgent({ ...this.#proxies, requestTls: tls, connect });
  }
}

/** Whether a request stays on this machine because a server on this machine asked for it: then there is nothing to guard. */
function staysHere(server: string, url: string): boolean {
  return isLoopbackHost(new URL(server).hostname) && isLoopbackHost(new URL(url).hostname);
}

/**
 * The `fetch` for OAuth requests, most of whose URLs a server chose: no address is connected to that the server must not
 * name, and the address that was checked is the one that is connected to, so that a name which changes its mind (DNS
 * rebinding) gains nothing. Proxies from the environment, further certificate authorities and a client certificate are
 * honoured.
 *
 * undici does the connecting; it is loaded at the first request that leaves this machine.
 */
export function guardedFetch(options: NetworkOptions, local: Fetch): FetchFor {
  const guarded = new GuardedFetch(options);
  const isPlain = options.certificateAuthorities === undefined && options.clientCertificate === undefined;
  return (server) => (input, init) => {
    const url = typeof input === "object" && "url" in input ? input.url : String(input);
    return isPlain && staysHere(server, url) ? local(input, init) : guarded.fetchFor(server, input, init);
  };
}
