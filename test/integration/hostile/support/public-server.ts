// A server with a public address, as far as a host can tell: it stands behind a proxy on this machine. Nothing leaves it.
import { createServer as createProxy, type Server as HttpServer } from "node:http";
import { createServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, connect, createServer as createListener, type Server } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import type { NetworkOptions } from "mcp-oauth-client";
import { selfSigned } from "../../../support/self-signed.ts";
import { callbackOf, type Host, type HostOptions, startHost } from "../../flow/support/harness.ts";

const NAME = "mcp.example.com";
const ORIGIN = `https://${NAME}`;
/** Names below this one are connected to without the proxy. */
const DIRECT = "inside.example";
const { certificate, key } = selfSigned(NAME);

/** What the server says in each place. */
export interface Sayings {
  readonly challenge?: string;
  readonly resource?: object;
  readonly metadata?: object;
}

/** The server, the proxy in front of it, and somebody on this machine whom no connection may reach. */
export class PublicServer {
  readonly resource = `${ORIGIN}/mcp`;
  /** Where the proxy was asked to connect to. */
  readonly connected: string[] = [];
  /** How many connections the victim has got. */
  hits = 0;
  says: Sayings = {};
  readonly #server: HttpsServer = createServer({ cert: certificate, key }, (request, response) => {
    const answer = this.#answer(request.url ?? "");
    request.resume().once("end", () => {
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(JSON.stringify(answer.body));
    });
  });
  readonly #proxy: HttpServer = createProxy().on("connect", (request, socket) =>
    this.#tunnel(request.url ?? "", socket),
  );
  readonly #victim: Server = createListener((socket) => {
    this.hits += 1;
    socket.destroy();
  });
  readonly #tunnels = new Set<Duplex>();

  static async start(): Promise<PublicServer> {
    const started = new PublicServer();
    for (const each of [started.#server, started.#proxy, started.#victim]) {
      await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
    }
    return started;
  }

  /** The victim's port. */
  get victimPort(): number {
    return (this.#victim.address() as AddressInfo).port;
  }

  reset(): void {
    this.says = {};
    this.hits = 0;
    this.connected.splice(0);
  }

  /**
   * A host with a person who agrees to everything.
   *
   * @param addresses what names resolve to, one list for each question; the last one for all that follow.
   */
  startHost(addresses: Record<string, readonly string[][]> = {}, network: NetworkOptions = {}): Host {
    const left = Object.fromEntries(Object.entries(addresses).map(([name, answers]) => [name, [...answers]]));
    const options: HostOptions = {
      network: {
        certificateAuthorities: [certificate],
        environment: {
          HTTPS_PROXY: `http://127.0.0.1:${(this.#proxy.address() as AddressInfo).port}`,
          NO_PROXY: `.${DIRECT},localhost`,
        },
        resolveAddresses: async (name) => {
          const answers = left[name] ?? [["8.8.8.8"]];
          const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? [];
          return answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
        },
        ...network,
      },
      openBrowser: (url) => {
        const answer = callbackOf(url, { code: "c", state: url.searchParams.get("state") ?? "", iss: ORIGIN });
        void fetch(answer).catch(() => undefined);
      },
      devicePrompt: () => undefined,
      // What leads elsewhere is refused for that already; here it is about where it leads.
      acceptOrigin: () => true,
    };
    return startHost(options);
  }

  async close(): Promise<void> {
    for (const tunnel of this.#tunnels) tunnel.destroy();
    for (const each of [this.#server, this.#proxy, this.#victim]) await new Promise((resolve) => each.close(resolve));
  }

  #answer(path: string): { status: number; headers?: Record<string, string>; body: object } {
    const { challenge, resource, metadata } = this.says;
    switch (path) {
      case "/mcp":
        return { status: 401, headers: challenge === undefined ? {} : { "www-authenticate": challenge }, body: {} };
      case "/.well-known/oauth-protected-resource/mcp":
        return { status: 200, body: { resource: this.resource, authorization_servers: [ORIGIN], ...resource } };
      case "/.well-known/oauth-authorization-server":
        return { status: 200, body: { ...usualMetadata, ...metadata } };
      case "/r":
        return { status: 201, body: { client_id: "c" } };
      case "/t":
        return { status: 200, body: { access_token: "a", refresh_token: "r", token_type: "Bearer" } };
      default:
        return { status: 404, body: {} };
    }
  }

  /** Whatever the name, there is one server behind it. */
  #tunnel(target: string, socket: Duplex): void {
    this.connected.push(target);
    const inner = connect((this.#server.address() as AddressInfo).port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      pipeline(socket, inner, socket, () => undefined);
    });
    for (const end of [socket, inner]) this.#tunnels.add(end);
  }
}

const usualMetadata = {
  issuer: ORIGIN,
  authorization_endpoint: `${ORIGIN}/a`,
  token_endpoint: `${ORIGIN}/t`,
  registration_endpoint: `${ORIGIN}/r`,
  grant_types_supported: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
  code_challenge_methods_supported: ["S256"],
  authorization_response_iss_parameter_supported: true,
};
