import { inertText } from "../core/text.ts";
import type { SessionStatus } from "../index.ts";
import type { Row } from "./layout.ts";
import type { Output } from "./output.ts";
import { relativeTime } from "./times.ts";

/** Longer lists of scopes are cut off. */
const LONGEST_SCOPE = 2000;

/** Scopes as a person reads them. */
export function scopeText(scope: string | undefined): string | undefined {
  if (scope === undefined) return undefined;
  return scope === "" ? "none" : inertText(scope, LONGEST_SCOPE);
}

/** When a token ends. */
export function expiryText(expiresAt: number | undefined, nowMs: number): string {
  if (expiresAt === undefined) return "unknown: the server does not say";
  return relativeTime(expiresAt, nowMs);
}

function refreshText({ refreshable, refreshAt }: SessionStatus, nowMs: number): string {
  if (refreshable !== true) return "not possible: sign in again when it has expired";
  if (refreshAt === undefined) return "when the server asks for it";
  return refreshAt <= nowMs ? "at the next use" : `${relativeTime(refreshAt, nowMs)}, when it is used`;
}

/** Where sessions are kept, in words. */
export function storeText(store: string): string {
  return store === "encrypted-file" ? "encrypted file" : inertText(store);
}

/** All that is told of a session, below its server's name. */
export function sessionRows(session: SessionStatus, output: Output, nowMs: number): Row[] {
  const { account, state, store, issuer, clientId, scope, signedInAt, expiresAt, error } = session;
  const isExpired = expiresAt !== undefined && expiresAt <= nowMs;
  const expires = expiryText(expiresAt, nowMs);
  const problem = error === undefined ? undefined : output.style("red", inertText(error.message, 1000));
  const who: Row[] = account === "" ? [] : [["account", inertText(account)]];
  const where: Row[] = [
    ["stored", storeText(store)],
    ["error", problem],
  ];
  if (state !== "signed_in") return [...who, ["state", state === "signed_out" ? "signed out" : "unreadable"], ...where];
  return [
    ...who,
    ["issuer", issuer && inertText(issuer)],
    ["client", clientId && inertText(clientId)],
    ["scopes", scopeText(scope)],
    ["signed in", signedInAt === undefined ? undefined : relativeTime(signedInAt, nowMs)],
    ["expires", isExpired ? output.style("yellow", expires) : expires],
    ["refresh", refreshText(session, nowMs)],
    ...where,
  ];
}
