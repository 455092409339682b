// What goes wrong on the way. Every fault is one that passes: none says that a session is over.
import { setTimeout as pause } from "node:timers/promises";
import type { ScriptedAnswer } from "../servers/scripted-server.ts";
import type { Chance } from "./chance.ts";

type Fault = (usual: () => Promise<Response>, chance: Chance) => Promise<ScriptedAnswer>;

const HTML = "<!doctype html><title>Bad gateway</title><p>The server is being updated.";

function answer(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { "content-type": "text/html", ...headers } });
}

/** The bytes of an answer a few at a time; `until` is the share of them that comes before the connection breaks. */
async function trickled(usual: Response, until: number): Promise<Response> {
  const bytes = new Uint8Array(await usual.arrayBuffer());
  const end = Math.floor(bytes.length * until);
  const step = Math.max(1, Math.ceil(bytes.length / 8));
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await pause(60);
      if (sent >= end) {
        if (until < 1) controller.error(new Error("cut off"));
        else controller.close();
        return;
      }
      controller.enqueue(bytes.subarray(sent, Math.min(sent + step, end)));
      sent += step;
    },
  });
  return new Response(body, { status: usual.status, headers: usual.headers });
}

/** The request has been worked on, and the answer is lost in each of these. */
const afterwards: Record<string, Fault> = {
  "answer lost": async (usual) => {
    await usual();
    return "reset";
  },
  "answer cut off": async (usual) => trickled(await usual(), 0.5),
  "502 after the work": async (usual) => {
    await usual();
    return answer(502, HTML);
  },
  "200 with a page": async (usual) => {
    await usual();
    return answer(200, HTML);
  },
  "200 with garbage": async (usual, chance) => {
    await usual();
    const bytes = Uint8Array.from({ length: chance.between(0, 2000) }, () => chance.between(0, 256));
    return new Response(bytes, { headers: { "content-type": "application/json" } });
  },
  "no answer": async (usual, chance) => {
    await usual();
    await pause(chance.between(6000, 9000));
    return "reset";
  },
};

/** The request never gets to the server, or the answer comes whole though late. */
const others: Record<string, Fault> = {
  "connection reset": async () => "reset",
  "500": async () => answer(500, HTML),
  "503 with Retry-After": async () => answer(503, HTML, { "retry-after": "1" }),
  "429 with Retry-After": async () =>
    answer(429, '{"error":"slow_down"}', { "retry-after": "1", "content-type": "application/json" }),
  "slow bytes": async (usual) => trickled(await usual(), 1),
  "late answer": async (usual, chance) => {
    await pause(chance.between(100, 1500));
    return usual();
  },
};

const faults: Record<string, Fault> = { ...afterwards, ...others };
const names = Object.keys(faults);
const HARMLESS = new Set(["slow bytes", "late answer"]);

/** What became of an answer on its way. */
export interface Passed {
  readonly answer: ScriptedAnswer;
  /** Whether it is the server's own, with nothing missing. */
  readonly isWhole: boolean;
}

/** Lets one in so many answers go wrong, and counts what did. */
export class FaultyWay {
  readonly counts: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  readonly #chance: Chance;
  #share = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Sets the share of answers that go wrong. */
  set share(share: number) {
    this.#share = share;
  }

  async pass(usual: () => Promise<Response>): Promise<Passed> {
    if (this.#chance.fraction() >= this.#share) return { answer: await usual(), isWhole: true };
    const name = this.#chance.oneOf(names);
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    return { answer: await (faults[name] as Fault)(usual, this.#chance), isWhole: HARMLESS.has(name) };
  }
}
