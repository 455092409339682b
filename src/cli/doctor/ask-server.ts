import { McpOAuthError } from "../../core/errors.ts";
import { isJsonObject, type JsonObject, parseJsonObject, textMember } from "../../core/json.ts";
import { parseUrl } from "../../core/url.ts";
import type { RecordingHttp } from "./recording-http.ts";

/** The last revision that begins with `initialize`, and the one that does without. */
const HANDSHAKE_VERSION = "2025-11-25";
const MODERN_VERSION = "2026-07-28";
/** Plainly no token: whoever reads it in a log knows whose it is. */
const MADE_UP_TOKEN = "mcp-oauth-doctor-this-is-not-a-token";
const MOST_REDIRECTS = 3;
const CLOSE_MS = 2000;

/** One question to the MCP server. */
interface Question {
  readonly method: "POST" | "GET" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface ServerAnswer {
  readonly question: Question;
  readonly status: number;
  readonly headers: Headers;
  readonly contentType: string;
  /** The beginning of the body. */
  readonly text: string;
  /** The JSON-RPC message in it. */
  readonly message: JsonObject | undefined;
}

/** What the server was asked without a token, and what it said. */
export interface ServerAnswers {
  /** To the first request of a host: `initialize`, or where nothing takes it, the stream of the older transport. */
  readonly first: ServerAnswer;
  /** Where redirects led before that. */
  readonly redirectedTo: readonly string[];
  /** To the list of tools, where the first request passed. */
  readonly tools?: ServerAnswer;
  /** To the refused request with a token that nobody issued. */
  readonly madeUpToken?: ServerAnswer;
}

/** Whether a request came through to MCP: it was answered, or refused as servers refuse what their revision does not know. */
export function isUnderstood({ status, message }: ServerAnswer): boolean {
  return (status >= 200 && status < 300) || (status === 400 && message !== undefined);
}

/** The message in an answer, which may be the first event of a stream. */
function messageIn(text: string, contentType: string): JsonObject | undefined {
  const data = contentType.startsWith("text/event-stream")
    ? text
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice("data:".length))
        .find((line) => line.includes("jsonrpc"))
    : text;
  const message = parseJsonObject(data ?? "");
  return message?.jsonrpc === "2.0" ? message : undefined;
}

/** What a further question came to; that it got no answer is in the record, and no reason to end the interview. */
async function unlessCut(answer: Promise<ServerAnswer>): Promise<ServerAnswer | undefined> {
  return answer.catch((error: unknown) => {
    if (error instanceof McpOAuthError && error.code !== "aborted") return undefined;
    throw error;
  });
}

/** Asks an MCP server what any host asks it first, without a token; nothing is changed on it. */
export class ServerInterview {
  readonly #http: RecordingHttp;
  readonly #server: string;
  readonly #version: string;

  constructor(http: RecordingHttp, server: string, version: string) {
    this.#http = http;
    this.#server = server;
    this.#version = version;
  }

  /** @throws `network_failed`, `timeout`, `aborted`, `insecure_url`, `address_refused`. */
  async run(): Promise<ServerAnswers> {
    const redirectedTo: string[] = [];
    let first = await this.#byLibrary(this.#initialize());
    while (redirectedTo.length < MOST_REDIRECTS) {
      const next = this.#redirected(first);
      if (next === undefined) break;
      redirectedTo.push(next.url);
      first = await this.#byLibrary(next);
    }
    const isMissing = first.status === 404 || first.status === 405;
    if (isMissing) {
      const stream = await this.#byLibrary({
        method: "GET",
        url: first.question.url,
        headers: { accept: "text/event-stream" },
      });
      // A server that has neither is best known by its answer to the request of today's transport.
      if (stream.status < 400 || stream.status === 401) first = stream;
    }
    const tools =
      isUnderstood(first) && first.message !== undefined ? await unlessCut(this.#listTools(first)) : undefined;
    const refused = [first, tools].find((answer) => answer?.status === 401);
    const madeUpToken = refused === undefined ? undefined : await unlessCut(this.#withMadeUpToken(refused.question));
    return {
      first,
      redirectedTo,
      ...(tools !== undefined && { tools }),
      ...(madeUpToken !== undefined && { madeUpToken }),
    };
  }

  #post(url: string, message: object, headers: Record<string, string> = {}): Question {
    const types = { accept: "application/json, text/event-stream", "content-type": "application/json" };
    return {
      method: "POST",
      url,
      headers: { ...types, ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    };
  }

  #initialize(): Question {
    const clientInfo = { name: "mcp-oauth-doctor", version: this.#version };
    const params = { protocolVersion: HANDSHAKE_VERSION, capabilities: {}, clientInfo };
    return this.#post(this.#server, { id: 1, method: "initialize", params });
  }

  /** The request that a redirect makes of another, where the library would follow it with a token. */
  #redirected({ question, status, headers }: ServerAnswer): Question | undefined {
    const location = status >= 300 && status < 400 ? headers.get("location") : null;
    if (location === null || !URL.canParse(location, question.url)) return undefined;
    const target = new URL(location, question.url);
    if (target.origin !== new URL(this.#server).origin) return undefined;
    if (status === 307 || status === 308) return { ...question, url: target.href };
    return { method: "GET", url: target.href, headers: { accept: question.headers.accept ?? "*/*" } };
  }

  /** Whether authorization is asked for later, where the first request needs none. The session that this opens is ended. */
  async #listTools({ question, headers, message }: ServerAnswer): Promise<ServerAnswer> {
    const { url } = question;
    const result = isJsonObject(message?.result) ? message.result : undefined;
    if (result === undefined) {
      const names = "io.modelcontextprotocol";
      const _meta = {
        [`${names}/protocolVersion`]: MODERN_VERSION,
        [`${names}/clientInfo`]: { name: "mcp-oauth-doctor", version: this.#version },
        [`${names}/clientCapabilities`]: {},
      };
      const modern = { "mcp-protocol-version": MODERN_VERSION, "mcp-method": "tools/list" };
      return this.#byDoctor(this.#post(url, { id: 2, method: "tools/list", params: { _meta } }, modern));
    }
    const sessionId = headers.get("mcp-session-id");
    const ongoing = {
      "mcp-protocol-version": textMember(result, "protocolVersion") ?? HANDSHAKE_VERSION,
      ...(sessionId !== null && { "mcp-session-id": sessionId }),
    };
    try {
      await this.#byDoctor(this.#post(url, { method: "notifications/initialized" }, ongoing));
      return await this.#byDoctor(this.#post(url, { id: 2, method: "tools/list" }, ongoing));
    } finally {
      if (sessionId !== null) await this.#endSession({ method: "DELETE", url, headers: ongoing });
    }
  }

  /** Also after Ctrl-C: nothing is left behind. */
  async #endSession(question: Question): Promise<void> {
    await this.#byDoctor(question, AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
  }

  #withMadeUpToken(question: Question): Promise<ServerAnswer> {
    const headers = { ...question.headers, authorization: `Bearer ${MADE_UP_TOKEN}` };
    return this.#byDoctor({ ...question, headers });
  }

  #byLibrary(question: Question): Promise<ServerAnswer> {
    return this.#http.recorder.during({ step: "server", by: "library" }, () => this.#ask(question));
  }

  #byDoctor(question: Question, signal?: AbortSignal): Promise<ServerAnswer> {
    return this.#http.recorder.during({ step: "server", by: "doctor" }, () => this.#ask(question, signal));
  }

  async #ask(question: Question, signal?: AbortSignal): Promise<ServerAnswer> {
    const { status, headers } = await this.#http.send({
      ...question,
      what: "The MCP server",
      details: { server: this.#server },
      withoutBody: true,
      ...(signal !== undefined && { signal }),
    });
    const text = this.#http.recorder.last?.text ?? "";
    const contentType = (headers.get("content-type") ?? "").toLowerCase();
    return { question, status, headers, contentType, text, message: messageIn(text, contentType) };
  }
}

/** Where an answer redirects to, if that is another origin. */
export function otherOriginOf({ status, headers, question }: ServerAnswer): URL | undefined {
  const location = status >= 300 && status < 400 ? headers.get("location") : null;
  const target = parseUrl(
    location !== null && URL.canParse(location, question.url) ? new URL(location, question.url).href : "",
  );
  return target?.origin === new URL(question.url).origin ? undefined : target;
}
