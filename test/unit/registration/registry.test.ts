import { describe, expect, it } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { EventHub } from "../../../src/core/events.ts";
import { type ClientQuery, ClientRegistry, type ClientRegistryOptions } from "../../../src/registration/registry.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf } from "../../support/failure.ts";
import { closingAfterEach, manualHttp, metadataAt, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();
const REDIRECT = "http://127.0.0.1:4321/callback";
const CIMD = "https://app.example.com/client.json";

/** A registry beside a server that registers everybody: the first client is `client-1`. */
async function start(options: Partial<ClientRegistryOptions> = {}, answer: object = {}) {
  let registered = 0;
  const server = await closing(
    startScriptedServer({ "*": (_, { json }) => json({ client_id: `client-${++registered}`, ...answer }, 201) }),
  );
  const { http, clock } = manualHttp();
  const store = memoryStore();
  const told: object[] = [];
  const events = new EventHub(clock);
  events.on("*", (event) => told.push(event));
  const open = (more: Partial<ClientRegistryOptions> = {}): ClientRegistry =>
    new ClientRegistry({ store, http, clock, events, clientName: "Test", clients: [], ...options, ...more });
  const registry = open();
  const obtain = (metadata: Record<string, unknown> = {}, query: Partial<ClientQuery> = {}, from = registry) =>
    from.obtain({
      server: SERVER,
      authorizationServer: metadataAt(server.url, metadata),
      redirectUri: REDIRECT,
      ...query,
    });
  return { server, clock, store, told, registry, open, obtain };
}

describe("ClientRegistry", () => {
  // Pre-registered, metadata document, dynamic: which are there, and which is used.
  it.each<[boolean, boolean, boolean, string | undefined]>([
    [true, true, true, "pre-registered"],
    [true, true, false, "pre-registered"],
    [true, false, true, "pre-registered"],
    [true, false, false, "pre-registered"],
    [false, true, true, "metadata-document"],
    [false, true, false, "metadata-document"],
    [false, false, true, "dynamic"],
    [false, false, false, undefined],
  ])(
    "obtains a client: pre-registered %s, document %s, dynamic %s gives %s [REG-1] [REG-2] [REG-3] [REG-5]",
    async (hasClient, hasDocument, hasEndpoint, how) => {
      const { server, obtain, open, told } = await start();
      const registry = open({
        clients: hasClient ? [{ issuer: server.url, clientId: "known" }] : [],
        ...(hasDocument && { clientMetadataUrl: CIMD }),
      });
      const metadata = {
        client_id_metadata_document_supported: true,
        ...(!hasEndpoint && { registration_endpoint: undefined }),
      };
      const outcome = obtain(metadata, {}, registry);
      if (how === undefined) {
        const error = await failureOf(outcome);
        expect(error).toMatchObject({ code: "client_unavailable", server: SERVER, issuer: server.url });
        expect(error.message).toContain("clients: [{");
      } else {
        expect(await outcome).toMatchObject({ how, issuer: server.url });
        expect(told).toMatchObject([{ type: "client_obtained", how, issuer: server.url, server: SERVER }]);
      }
      expect(server.log.requests).toHaveLength(how === "dynamic" ? 1 : 0);
    },
  );

  it("registers where the server does not take metadata documents [REG-4]", async () => {
    const { obtain } = await start({ clientMetadataUrl: CIMD });
    expect((await obtain({ client_id_metadata_document_supported: "true" })).how).toBe("dynamic");
  });

  it("keeps a dynamic client under its issuer, for other servers and later processes [BIND-1]", async () => {
    const { server, store, obtain, open } = await start();
    expect((await obtain()).clientId).toBe("client-1");
    expect(await store.keys()).toEqual([`client/${server.url}`]);
    expect((await obtain({}, { server: "https://other.example.com" }, open())).clientId).toBe("client-1");
    expect(server.log.requests).toHaveLength(1);
  });

  it("does not use a stored client under another issuer's key, nor what is no client [BIND-1]", async () => {
    const { server, store, obtain, registry } = await start();
    const foreign = {
      issuer: "https://other",
      clientId: "stolen",
      how: "dynamic",
      authenticationMethod: "none",
      redirectUris: [REDIRECT],
    };
    for (const value of [
      JSON.stringify(foreign),
      JSON.stringify({ ...foreign, issuer: undefined }),
      "{",
      "[]",
      "null",
    ]) {
      const lock = await store.lock(`client/${server.url}`);
      await store.set(`client/${server.url}`, value, lock);
      await lock.release();
      expect(await registry.known(metadataAt(server.url))).toBeUndefined();
    }
    expect((await obtain()).clientId).toBe("client-1");
  });

  it("registers anew with another issuer, and shows it nothing of the first one's client [BIND-2] [BIND-3]", async () => {
    const { server, store, obtain } = await start({}, { client_secret: "planted-secret-1" });
    const first = await obtain();
    const second = await obtain({ issuer: `${server.url}/two`, registration_endpoint: `${server.url}/two/register` });
    expect([first.clientId, second.clientId, second.issuer]).toEqual(["client-1", "client-2", `${server.url}/two`]);
    const [toSecond] = server.log.find("POST", "/two/register");
    expect(JSON.stringify([toSecond?.body, toSecond?.headers])).not.toMatch(/client-1|planted/);
    expect((await store.keys()).sort()).toEqual([`client/${server.url}`, `client/${server.url}/two`]);
    expect((await obtain()).clientId).toBe("client-1");
  });

  it("uses a metadata document's address with every issuer [BIND-3]", async () => {
    const { server, obtain } = await start({ clientMetadataUrl: CIMD });
    for (const issuer of [server.url, `${server.url}/two`]) {
      expect(await obtain({ issuer, client_id_metadata_document_supported: true })).toMatchObject({
        clientId: CIMD,
        issuer,
      });
    }
  });

  it("does not try a client at an issuer that it was not configured for, and names both [BIND-4]", async () => {
    const { server, obtain } = await start({
      clients: [{ issuer: "https://configured.example.com", clientId: "known" }],
    });
    const error = await failureOf(obtain({ registration_endpoint: undefined }));
    expect(error).toMatchObject({ code: "client_mismatch", issuer: server.url });
    expect(error.message).toContain("https://configured.example.com");
    expect(error.message).toContain(server.url);
    expect((await obtain()).how).toBe("dynamic");
  });

  it("registers anew for another redirect URI: many servers compare the port too", async () => {
    const { obtain, server } = await start();
    await obtain();
    expect((await obtain({}, { redirectUri: "http://127.0.0.1:9999/callback" })).clientId).toBe("client-2");
    expect(server.log.requests).toHaveLength(2);
  });

  it("registers for later scopes too, and anew for those that were not registered, together with the old ones", async () => {
    const { obtain, server } = await start();
    await obtain({}, { scope: "a", laterScope: "a b" });
    expect((await obtain({}, { scope: "b" })).clientId).toBe("client-1");
    expect((await obtain({}, { scope: "c" })).clientId).toBe("client-2");
    expect(server.log.requests.map(({ body }) => JSON.parse(body).scope)).toEqual(["a b", "a b c"]);
  });

  it("registers anew once the client's secret has ended [DCR-7]", async () => {
    const { obtain, clock } = await start(
      {},
      { client_secret: "s3cret", client_secret_expires_at: Date.UTC(2026, 7, 22, 13) / 1000 },
    );
    await obtain();
    clock.advance(3_599_999);
    expect((await obtain()).clientId).toBe("client-1");
    clock.advance(1);
    expect((await obtain()).clientId).toBe("client-2");
  });

  it("registers once for many that ask at the same time", async () => {
    const { obtain, server } = await start();
    const clients = await Promise.all(Array.from({ length: 10 }, () => obtain()));
    expect(new Set(clients.map(({ clientId }) => clientId))).toEqual(new Set(["client-1"]));
    expect(server.log.requests).toHaveLength(1);
  });

  it("drops a client that its server has forgotten, but not one that took its place, and then registers anew [DCR-8]", async () => {
    const { obtain, registry, told, store, open } = await start();
    const first = await obtain();
    await registry.forget(first, SERVER);
    expect(await store.keys()).toEqual([]);
    expect(told.at(-1)).toMatchObject({ type: "client_forgotten", clientId: "client-1", server: SERVER });
    expect((await obtain()).clientId).toBe("client-2");
    await open().forget(first, SERVER);
    expect((await obtain()).clientId).toBe("client-2");
  });

  it("knows which clients its server has accepted since this process started", async () => {
    const { obtain, registry, open } = await start();
    const client = await obtain();
    const issuer = "https://other";
    const registering = { issuer, registration_endpoint: `${issuer}/register` };
    expect(registry.isProven(client, registering)).toBe(true);
    const later = open();
    expect(later.isProven(client, registering)).toBe(false);
    later.prove(client);
    expect(later.isProven(client, registering)).toBe(true);
    const other = { ...client, issuer };
    expect(later.isProven(other, registering)).toBe(false);
    // Where nothing else can be had there is nothing to be found out.
    expect(later.isProven({ ...other, how: "pre-registered" }, registering)).toBe(true);
    expect(later.isProven({ ...other, how: "metadata-document" }, registering)).toBe(false);
    expect(later.isProven({ ...other, how: "metadata-document" }, { issuer })).toBe(true);
  });

  it("refuses unusable options at once", async () => {
    await expect(start({ clientMetadataUrl: "http://app.example.com/c" })).rejects.toMatchObject({
      code: "invalid_configuration",
    });
    await expect(start({ clients: [{ issuer: "x", clientId: "y" }] })).rejects.toMatchObject({
      code: "invalid_configuration",
    });
  });

  it("lets go of the lock when a registration fails", async () => {
    const server = await closing(startScriptedServer({ "*": (_, { text }) => text("", 500) }));
    const { store, obtain } = await start();
    await failureOf(obtain({ issuer: server.url, registration_endpoint: `${server.url}/register` }));
    const lock = await store.lock(`client/${server.url}`, { timeoutMs: 0 });
    await lock.release();
  });
});
