// The servers, the person, and hosts that are started beside them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PeerName, peers } from "./peers/index.ts";
import { type Program, start } from "./processes.ts";
import type { HostMethods, HostSettings } from "./programs/host.ts";
import type { SeenRequest, WorldMethods, WorldSettings } from "./programs/world.ts";

/** How a program went from its start to its first answer. */
export interface Start {
  /** Since the process was started. */
  readonly sinceStartMs: number;
  readonly answeredAt: number;
}

/** A running host. */
export interface RunningHost extends Pick<Program<HostMethods>, "ask"> {
  /** The addresses that it has shown to the person. */
  readonly opened: readonly string[];
  /** Ends it as a host ends that has done its work. */
  leave(): Promise<void>;
}

export class Scene {
  readonly #programs: string;
  readonly #world: Program<WorldMethods>;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #folder: string;
  readonly #hosts = new Set<Program<HostMethods>>();
  /** The endpoints of two MCP servers that answer in JSON; one authorization server stands behind all. */
  readonly servers: readonly [string, string];
  /** The endpoint of one that answers each message by an event stream, as the official SDKs' servers do by default. */
  readonly streamingServer: string;

  private constructor(
    programs: string,
    world: Program<WorldMethods>,
    urls: readonly string[],
    folder: string,
    environment: NodeJS.ProcessEnv,
  ) {
    const [first = "", second = "", streaming = ""] = urls;
    this.#programs = programs;
    this.#world = world;
    this.servers = [first, second];
    this.streamingServer = streaming;
    this.#folder = folder;
    this.#environment = environment;
  }

  /** @param environment of the hosts, beside that of this process. */
  static async open(
    programs: string,
    settings: Partial<WorldSettings> = {},
    environment: NodeJS.ProcessEnv = {},
  ): Promise<Scene> {
    const world = start<WorldMethods>(programs, "world");
    await world.told(({ ready }) => ready);
    await world.ask("set", settings);
    const urls = await world.ask("urls");
    const folder = await mkdtemp(join(tmpdir(), "bench-"));
    return new Scene(programs, world, urls, folder, environment);
  }

  /** Changes how the servers behave from now on. */
  async set(settings: Partial<WorldSettings>): Promise<void> {
    await this.#world.ask("set", settings);
  }

  /** Forgets the requests seen so far. */
  async clear(): Promise<void> {
    await this.#world.ask("clear");
  }

  /** The requests that clients made, without the person's browser. */
  async requests(): Promise<SeenRequest[]> {
    return (await this.#world.ask("requests")).filter(({ isPerson }) => !isPerson);
  }

  /** A new folder for what outlives a host. */
  newState(): Promise<string> {
    return mkdtemp(join(this.#folder, "state-"));
  }

  /** A host with its contestant loaded. */
  async host(settings: HostSettings): Promise<RunningHost> {
    const { host, running } = this.#begin(settings);
    await host.told(({ ready }) => ready);
    return running;
  }

  /** Runs a host that connects and calls a tool at once. */
  async start(settings: HostSettings & { start: string }): Promise<Start> {
    const { host, running } = this.#begin(settings);
    const started = await host.told((message) => message.started as Start | undefined);
    await running.leave();
    return started;
  }

  /** Signs a contestant in, and gives the folder with what it has stored. */
  async signedIn(peer: PeerName, server: string = this.servers[0]): Promise<string> {
    const state = await this.newState();
    const host = await this.host({ peer: peers[peer].preparedBy ?? peer, state });
    await host.ask("connect", server);
    await host.leave();
    return state;
  }

  async close(): Promise<void> {
    for (const host of this.#hosts) await host.end();
    await this.#world.end();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #begin(settings: HostSettings): { host: Program<HostMethods>; running: RunningHost } {
    const given = [JSON.stringify(settings)];
    const host = start<HostMethods>(this.#programs, "host", { given, environment: this.#environment });
    this.#hosts.add(host);
    const opened: string[] = [];
    host.on((message) => {
      if (typeof message.opened !== "string") return;
      opened.push(message.opened);
      void this.#world.ask("open", message.opened);
    });
    const leave = async (): Promise<void> => {
      await host.ask("leave");
      await host.end();
      this.#hosts.delete(host);
    };
    return { host, running: { opened, ask: (...given) => host.ask(...given), leave } };
  }
}
