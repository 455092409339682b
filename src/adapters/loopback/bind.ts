import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { McpOAuthError } from "../../core/errors.ts";
import { type ListenAddress, redirectUriOf } from "./address.ts";

/** Largest request head in bytes. Cookies of other programs on localhost arrive here too: ports do not separate them. */
const LARGEST_HEAD_BYTES = 48 * 1024;
const HEAD_WITHIN_MS = 5000;
const REQUEST_WITHIN_MS = 10_000;
const CHECK_EVERY_MS = 1000;
/** A free port for 127.0.0.1 may be taken on ::1. */
const FREE_PORT_ATTEMPTS = 10;

/** Servers on the same port, one for each address. */
export interface Bound {
  readonly servers: readonly Server[];
  readonly port: number;
}

async function createServer(handle: RequestListener): Promise<Server> {
  // Loaded here, so that importing the package loads no HTTP server.
  const http = await import("node:http");
  return http.createServer(
    {
      maxHeaderSize: LARGEST_HEAD_BYTES,
      headersTimeout: HEAD_WITHIN_MS,
      requestTimeout: REQUEST_WITHIN_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      keepAlive: false,
    },
    handle,
  );
}

async function listen(host: string, port: number, handle: RequestListener): Promise<Server> {
  const server = await createServer(handle);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // Exclusive: a cluster worker must not share the port, or its sibling gets the response.
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return server;
}

/** The `code` of a system error. */
function systemCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

function isMissingAddress(error: unknown): boolean {
  return ["EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"].includes(systemCode(error) ?? "");
}

function unavailable(address: ListenAddress, error: unknown): McpOAuthError {
  const where = `${address.urlHost}:${address.port}`;
  const uri = redirectUriOf(address, address.port);
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE:
      `Port ${address.port} is in use by another program, so nothing can be received on ${uri}. ` +
      "Stop that program, or set another redirect.port (0 takes a free one).",
    EACCES: `The system does not let this program listen on ${where}. Set a redirect.port above 1023 (0 takes a free one).`,
    EADDRNOTAVAIL: `This machine does not have the address ${where}. Set another redirect.host.`,
    EAFNOSUPPORT: `This machine does not have the address ${where}. Set another redirect.host.`,
  };
  const message = why[systemCode(error) ?? ""] ?? `Nothing can be received on ${where}.`;
  return new McpOAuthError("redirect_unavailable", message, { cause: error });
}

/** Binds all addresses to one port. Addresses that the machine does not have are left out, as long as one remains. */
async function bindOnce(address: ListenAddress, handle: RequestListener): Promise<Bound> {
  const servers: Server[] = [];
  let port = address.port;
  let missing: unknown;
  for (const host of address.bindHosts) {
    try {
      const server = await listen(host, port, handle);
      servers.push(server);
      port = (server.address() as AddressInfo).port;
    } catch (error) {
      if (isMissingAddress(error)) {
        missing = error;
        continue;
      }
      for (const server of servers) server.close();
      throw error;
    }
  }
  if (servers.length === 0) throw missing;
  return { servers, port };
}

/**
 * Listens on every address of `address`, on the same port. A port that is taken on one of several addresses counts as
 * taken: whoever has the other one would get some of the responses.
 *
 * @throws `redirect_unavailable`, saying what to do about it.
 */
export async function bind(address: ListenAddress, handle: RequestListener): Promise<Bound> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await bindOnce(address, handle);
    } catch (error) {
      const isUnlucky = address.port === 0 && systemCode(error) === "EADDRINUSE";
      if (!isUnlucky || attempt === FREE_PORT_ATTEMPTS) throw unavailable(address, error);
    }
  }
}
