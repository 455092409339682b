// What reaches the listener on loopback although it is not the answer of the authorization server.
// biome-ignore-all format: a table has a line for each entry
import { formPost, type RawAnswer, rawConnection, request, sendRaw } from "../../../unit/adapters/loopback-client.ts";
import type { HostileCase } from "../support/case.ts";

/** The state that the sign-in waits for; whoever sends it here breaks another rule. */
export const STATE = "the-right-state";
const RIGHT = `state=${STATE}&code=planted`;
const FORM = "application/x-www-form-urlencoded";

export interface CallbackCase extends HostileCase {
  readonly send: (uri: string) => Promise<RawAnswer>;
  readonly status: number;
}

const WAITS = "it is turned away, and the sign-in goes on waiting";
const asked = (target: string, headers: Record<string, string> = {}) => (uri: string): Promise<RawAnswer> =>
  request(uri, { target, headers });
const withHost = (host: (port: string) => string) => (uri: string): Promise<RawAnswer> =>
  request(uri, { target: `/callback?${RIGHT}`, headers: { Host: host(new URL(uri).port) } });
const withMethod = (method: string) => (uri: string): Promise<RawAnswer> =>
  request(uri, { method, target: `/callback?${RIGHT}` });
const posted = (body: string, headers: Record<string, string> = {}) => (uri: string): Promise<RawAnswer> =>
  formPost(uri, body, headers);

/** 300 connections that say nothing, and then somebody who does. */
async function crowd(uri: string): Promise<RawAnswer> {
  const silent = await Promise.all(Array.from({ length: 300 }, () => rawConnection(uri)));
  for (const socket of silent) socket.on("error", () => undefined);
  const answer = await request(uri, { target: "/callback" });
  const left = silent.filter((socket) => !socket.destroyed).length;
  for (const socket of silent) socket.destroy();
  return left < 300 ? answer : { ...answer, status: 0 };
}

export const callbackCases: readonly CallbackCase[] = [
  // The state.
  { id: "callback-state-absent", does: "sends a code without a state", must: WAITS, send: asked("/callback?code=planted"), status: 400, proves: "STATE-2" },
  { id: "callback-state-other", does: "guesses the state", must: WAITS, send: asked("/callback?code=planted&state=guessed"), status: 400, proves: "STATE-2" },
  { id: "callback-state-beginning", does: "knows the beginning of the state", must: WAITS, send: asked(`/callback?code=planted&state=${STATE.slice(0, -1)}`), status: 400, proves: "STATE-2" },
  { id: "callback-state-capitals", does: "sends the state in capitals", must: WAITS, send: asked(`/callback?code=planted&state=${STATE.toUpperCase()}`), status: 400, proves: "STATE-2" },
  { id: "callback-state-prototype", does: "sends a state like a property of every object", must: WAITS, send: asked("/callback?code=planted&state=__proto__"), status: 400, proves: "STATE-2" },
  { id: "callback-state-elsewhere", does: "puts the state of a form into the query", must: WAITS, send: (uri) => formPost(`${uri}?state=${STATE}`, "code=planted"), status: 400, proves: "STATE-2" },
  // DNS rebinding: a web page in the person's browser, whose name has come to mean this machine.
  { id: "callback-host-other", does: "comes by another name that leads here", must: WAITS, send: withHost((port) => `evil.example.com:${port}`), status: 403, proves: "NAT-5" },
  { id: "callback-host-localhost", does: "comes by localhost where 127.0.0.1 is registered", must: WAITS, send: withHost((port) => `localhost:${port}`), status: 403, proves: "NAT-5" },
  { id: "callback-host-no-port", does: "comes by the right name without its port", must: WAITS, send: withHost(() => "127.0.0.1"), status: 403 },
  { id: "callback-host-empty", does: "comes by no name", must: WAITS, send: withHost(() => ""), status: 403 },
  { id: "callback-host-user", does: "hides another name behind a user name", must: WAITS, send: withHost((port) => `127.0.0.1:${port}@evil.example.com`), status: 403 },
  { id: "callback-host-twice", does: "comes by two names, the right one first", must: WAITS, send: (uri) => sendRaw(uri, `GET /callback?${RIGHT} HTTP/1.1\r\nHost: ${new URL(uri).host}\r\nHost: evil.example.com\r\n\r\n`), status: 403 },
  { id: "callback-host-absent", does: "speaks HTTP/1.0, which needs no name", must: WAITS, send: (uri) => sendRaw(uri, `GET /callback?${RIGHT} HTTP/1.0\r\n\r\n`), status: 403 },
  // Paths.
  { id: "callback-path-root", does: "asks for another path", must: WAITS, send: asked(`/?${RIGHT}`), status: 404 },
  { id: "callback-path-longer", does: "asks for a path that begins like the right one", must: WAITS, send: asked(`/callback/x?${RIGHT}`), status: 404 },
  { id: "callback-path-encoded", does: "spells the path in another way", must: WAITS, send: asked(`/c%61llback?${RIGHT}`), status: 404 },
  { id: "callback-path-segments", does: "comes to the path by way of another", must: WAITS, send: asked(`/x/../callback?${RIGHT}`), status: 404 },
  { id: "callback-path-absolute", does: "asks as if the listener were a proxy", must: WAITS, send: (uri) => request(uri, { target: `${uri}?${RIGHT}` }), status: 404 },
  // Methods and types.
  { id: "callback-method-head", does: "looks with HEAD, as link checkers do", must: WAITS, send: withMethod("HEAD"), status: 405 },
  { id: "callback-method-options", does: "asks with OPTIONS whether other origins may call", must: "nobody is allowed to", send: withMethod("OPTIONS"), status: 405 },
  { id: "callback-method-put", does: "sends PUT", must: WAITS, send: withMethod("PUT"), status: 405 },
  { id: "callback-prefetch", does: "fetches the page ahead of time", must: "the code is not used up by that", send: asked(`/callback?${RIGHT}`, { "Sec-Purpose": "prefetch;prerender" }), status: 503 },
  { id: "callback-type-json", does: "posts JSON, as scripts of other origins may not", must: WAITS, send: posted(RIGHT, { "Content-Type": "application/json" }), status: 415 },
  { id: "callback-type-text", does: "posts plain text, as pages of other origins may", must: WAITS, send: posted(RIGHT, { "Content-Type": "text/plain" }), status: 415 },
  { id: "callback-type-compressed", does: "posts a compressed form", must: "nobody unpacks it", send: posted(RIGHT, { "Content-Encoding": "gzip" }), status: 415 },
  // Size.
  { id: "callback-size-query", does: "sends 17 KiB of query", must: WAITS, send: asked(`/callback?${RIGHT}&a=${"a".repeat(17 * 1024)}`), status: 414 },
  { id: "callback-size-head", does: "sends 64 KiB of header", must: WAITS, send: asked(`/callback?${RIGHT}`, { "X-A": "a".repeat(64 * 1024) }), status: 400 },
  { id: "callback-size-form", does: "posts a form that says it is large", must: "nobody waits for it", send: posted(RIGHT, { "Content-Length": "9007199254740991" }), status: 413 },
  { id: "callback-size-chunks", does: "posts a large form in chunks", must: WAITS, send: (uri) => sendRaw(uri, `POST /callback HTTP/1.1\r\nHost: ${new URL(uri).host}\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n\r\n11000\r\n${RIGHT}&${"a".repeat(0x11000 - RIGHT.length - 1)}\r\n0\r\n\r\n`), status: 413 },
  { id: "callback-crowd", does: "holds 300 silent connections open", must: "the oldest make room", send: crowd, status: 400, proves: "NAT-5" },
];

/** Text that must not come back out of the listener. */
export interface ReflectionCase extends HostileCase {
  /** The parameters of the response that the sign-in takes. */
  readonly parameters: Record<string, string>;
  readonly clientName?: string;
  readonly serverName?: string;
  /** What the page must not have in it. */
  readonly never: RegExp;
}

const SCRIPT = "<script>alert(1)</script>";

export const reflectionCases: readonly ReflectionCase[] = [
  { id: "callback-page-description", does: "describes an error in HTML", must: "the page repeats none of it", parameters: { error: "access_denied", error_description: SCRIPT, error_uri: "javascript:alert(1)" }, never: /alert|access_denied/, proves: "RUR-3" },
  { id: "callback-page-client", does: "has a client name with a script in it", must: "the page shows it as text", parameters: { code: "c" }, clientName: SCRIPT, never: /<script>alert/, proves: "RUR-3" },
  { id: "callback-page-attribute", does: "has a server name with quotes and a handler in it", must: "the page shows it as text", parameters: { code: "c" }, serverName: `"'><img src=x onerror=alert(1)>`, never: /<img/, proves: "RUR-3" },
  { id: "callback-page-direction", does: "has a server name that turns the text around it", must: "the page is read from left to right", parameters: { code: "c" }, serverName: "\u202Emoc.elpmaxe\u0007", never: /[\u202E\u0007]/ },
  { id: "callback-page-code", does: "sends a code", must: "the page does not have it, and no other site learns the address", parameters: { code: "the-code-of-this-sign-in" }, never: /the-code-of-this-sign-in/, proves: "RUR-3" },
];
