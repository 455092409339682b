import assert from "node:assert/strict";
import { connect } from "node:net";
import fc from "fast-check";
import { loopbackReceiver } from "../../../src/adapters/loopback/receiver.ts";
import { validateAuthorizationResponse } from "../../../src/endpoint/authorization-response.ts";
import { parsePastedRedirect } from "../../../src/flow/pasted-redirect.ts";
import type { PendingRedirect } from "../../../src/ports/redirect-receiver.ts";
import { metadataAt, SERVER } from "../../support/stage.ts";
import { hostilePieces, mutatedText } from "../generate-text.ts";
import { showsPlanted } from "../planted.ts";
import { fuzzTarget, type Reader } from "../target.ts";

const ISSUER = "https://as.example.com";
const CODE = "planted-code";
const expected = { server: SERVER, clientId: "client", state: "the-state" };
const authorizationServer = metadataAt(ISSUER, { authorization_response_iss_parameter_supported: true });

const query = fc.constantFrom(
  `code=${CODE}&state=the-state&iss=${encodeURIComponent(ISSUER)}`,
  `state=the-state&iss=${encodeURIComponent(ISSUER)}&code=${CODE}&session_state=x`,
  `error=access_denied&error_description=no%20thanks&state=the-state&iss=${encodeURIComponent(ISSUER)}`,
  `error=server_error&error_uri=https%3A%2F%2Fas.example.com&state=the-state&iss=${encodeURIComponent(ISSUER)}`,
);
const queryPieces = [
  ...hostilePieces,
  ...["&code=other", "&state=other", "&iss=https://evil.example", "&error=x", "&error=", "&response=x.y.z"],
  ...["&id_token=a.b.c", "&access_token=a", "&error_description=%1b%5b2J%e2%80%ae", "%E2%80", "&&", "=&", "&code="],
];
const mutatedQuery = mutatedText(query, queryPieces);

const counts = (parameters: URLSearchParams): readonly number[] =>
  ["code", "state", "iss", "error"].map((name) => parameters.getAll(name).length);

/** What is taken for an answer has each of its parameters once, and the right ones. */
async function validated(parameters: URLSearchParams, state: string): Promise<string> {
  const code = await validateAuthorizationResponse(parameters, { ...expected, state, authorizationServer });
  const [codes, states, issuers] = counts(parameters);
  assert.deepEqual([codes, states, issuers], [1, 1, 1]);
  assert.deepEqual(
    [parameters.get("code"), parameters.get("state"), parameters.get("iss"), parameters.get("error") ?? ""],
    [code, state, ISSUER, ""],
  );
  assert.ok(code !== "");
  return code;
}

export const authorizationResponse = fuzzTarget<string>("authorization response", mutatedQuery, () => ({
  read: (text) => validated(new URLSearchParams(text), expected.state),
  secretsIn: (text) => (isOnlyCode(text) ? [CODE] : []),
}));

/** Whether the planted code stands nowhere but in the code, so that no error may show it. */
function isOnlyCode(text: string): boolean {
  return [...new URLSearchParams(text)].every(([name, value]) => name === "code" || !showsPlanted(value));
}

const pasted = mutatedText(
  fc
    .tuple(fc.constantFrom("http://127.0.0.1:4321/callback?", "  http://localhost/callback?", "?", ""), query)
    .map((parts) => parts.join("")),
  queryPieces,
);

export const pastedRedirect = fuzzTarget<string>("pasted redirect", pasted, () => ({
  async read(text) {
    const parameters = parsePastedRedirect(text);
    if (parameters === undefined) return undefined;
    assert.ok(parameters.has("state") && (parameters.has("code") || parameters.has("error")));
    return validated(parameters, expected.state);
  },
}));

/** Stands for the state and the port of a case, which are not known before it runs. */
const STATE = "the-state";
const HOST = "the-host";

function wireRequest(method: string, target: string, headers: readonly string[], body: string): string {
  return `${method} ${target} HTTP/1.1\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n${body}`;
}

const asGet = mutatedQuery.map((text) =>
  wireRequest("GET", `/callback?${text.replace(/[\s\u0000-\u001f]/g, "+")}`, [`Host: ${HOST}`], ""),
);
const asForm = mutatedQuery.map((text) =>
  wireRequest(
    "POST",
    "/callback",
    [`Host: ${HOST}`, "Content-Type: application/x-www-form-urlencoded", `Content-Length: ${Buffer.byteLength(text)}`],
    text,
  ),
);
const asChunks = fc.tuple(mutatedQuery, fc.constantFrom("", ";x=y")).map(([text, extension]) => {
  const half = Math.floor(text.length / 2);
  const chunks = [text.slice(0, half), text.slice(half)].filter((part) => part !== "");
  const written = chunks.map((part) => `${Buffer.byteLength(part).toString(16)}${extension}\r\n${part}\r\n`);
  const type = "Content-Type: application/x-www-form-urlencoded; charset=utf-8";
  return wireRequest(
    "POST",
    "/callback",
    [`Host: ${HOST}`, type, "Transfer-Encoding: chunked"],
    `${written.join("")}0\r\n\r\n`,
  );
});
const requestPieces = [
  ...queryPieces,
  ...["\r\nHost: evil.example", "\r\nContent-Length: 5", "\r\nTransfer-Encoding: chunked", "\r\nSec-Purpose: prefetch"],
  ...["\r\n\r\n", "\r\nExpect: 100-continue", "\r\nContent-Encoding: gzip", "GET /callback HTTP/1.1\r\n", " HTTP/0.9"],
  ...[
    "//callback",
    "http://evil.example/callback",
    "OPTIONS",
    "HEAD",
    "\r\nConnection: upgrade\r\nUpgrade: x",
    "\r\n ",
  ],
];
/** Most requests are well formed, with something odd in what they say; some are broken as requests. */
const request = fc.oneof(asGet, asForm, asChunks, mutatedText(fc.oneof(asGet, asForm, asChunks), requestPieces));

/** Sends bytes, says that no more will come, and reads all that is answered. */
function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: "127.0.0.1", port }, () => socket.end(bytes));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

const ANSWERS = new Set([
  "",
  "200",
  "400",
  "403",
  "404",
  "405",
  "408",
  "410",
  "413",
  "414",
  "415",
  "417",
  "431",
  "503",
]);

class Loopback implements Reader<string> {
  readonly #pending: PendingRedirect;
  readonly #port: number;
  #cases = 0;

  constructor(pending: PendingRedirect) {
    this.#pending = pending;
    this.#port = Number(new URL(pending.redirectUri).port);
  }

  async read(text: string): Promise<string> {
    const state = `state-${this.#cases++}`;
    const over = new AbortController();
    let delivered: URLSearchParams | undefined;
    const answered = this.#pending.arrival(state, over.signal).then(
      ({ parameters, respond }) => {
        delivered = parameters;
        return respond({ outcome: "signed-in", clientName: "Test", serverName: "mcp.example.com" });
      },
      () => undefined,
    );
    const answer = await exchange(this.#port, this.#bytes(text, state));
    over.abort();
    await answered;
    this.#check(answer);
    if (delivered === undefined) return answer === "" ? "cut off" : `status ${statusOf(answer)}`;
    // Only a request with our very state comes through; whether it is an answer, the next step says.
    assert.equal(delivered.get("state"), state);
    await validated(delivered, state);
    return "accepted";
  }

  #bytes(text: string, state: string): Buffer {
    const filled = text.replaceAll(HOST, `127.0.0.1:${this.#port}`).replaceAll(STATE, state);
    // The state is longer than what stands for it.
    const grown = Buffer.byteLength(filled.split("\r\n\r\n")[1] ?? "");
    return Buffer.from(filled.replace(/^(Content-Length: )\d+/m, `$1${grown}`), "utf8");
  }

  #check(answer: string): void {
    assert.ok(ANSWERS.has(statusOf(answer)), answer.slice(0, 200));
    assert.ok(!/planted|evil|thanks|the-state|state-\d/.test(answer), "the page repeats something of the request");
  }

  outcomeOf(value: unknown): string {
    return String(value);
  }

  close(): Promise<void> {
    return this.#pending.close();
  }
}

function statusOf(answer: string): string {
  return /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? "";
}

export const loopbackRequest = fuzzTarget<string>(
  "callback at the loopback listener",
  request,
  async () => new Loopback(await loopbackReceiver().open({})),
);
