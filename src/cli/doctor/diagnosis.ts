import type { McpOAuthErrorCode } from "../../core/errors.ts";

/** How much something matters: `problem` has to be repaired, `warning` should be, `note` is good to know. */
export type Level = "ok" | "note" | "warning" | "problem";

/** Where a rule is written. */
export interface Rule {
  readonly source: string;
  readonly url: string;
}

/** One rule, applied to what was seen. */
export interface Finding {
  /** Stable, made to be switched on. */
  readonly id: string;
  readonly level: Level;
  /** What was seen, in whole sentences. */
  readonly seen: string;
  readonly rule: Rule;
  /** What the library does about it; absent where there is nothing to do. */
  readonly library?: string;
  /** What to change on the server. */
  readonly fix?: string;
  /** Whether nobody can sign in because of it. */
  readonly stops?: true;
  /** The code of the error by which the library would say so. */
  readonly code?: McpOAuthErrorCode;
}

/** The stages of a sign-in, in their order. */
export type StepId = "server" | "resource" | "authorization_server" | "client" | "sign_in";

/** One request and its answer, as they may be shown: without secrets, and in characters that do nothing. */
export interface Exchange {
  readonly number: number;
  readonly step: StepId;
  /** `library`: a sign-in would send it too. `doctor`: sent to see more. */
  readonly by: "library" | "doctor";
  readonly method: string;
  readonly url: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly requestBody?: unknown;
  /** Absent when there was no answer. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Until the head of the answer had come. */
  readonly durationMs?: number;
  /** How much of the body was read. */
  readonly bytes?: number;
  /** A value out of JSON, or the beginning of the text. */
  readonly body?: unknown;
  /** Why there was no answer, or none that can be used. */
  readonly error?: string;
}

export interface Step {
  readonly id: StepId;
  readonly title: string;
  readonly exchanges: readonly Exchange[];
  readonly findings: readonly Finding[];
}

/** Something that servers may or may not offer. */
export interface Capability {
  readonly id: string;
  readonly name: string;
  /** `unknown` where nothing that a server publishes says so. */
  readonly offered: boolean | "unknown";
  readonly detail: string;
}

export type VerdictId = "can_sign_in" | "no_sign_in_needed" | "cannot_sign_in" | "unreachable";

export interface Verdict {
  readonly id: VerdictId;
  /** In plain words. */
  readonly summary: string;
  /** The ids of the findings that stop a sign-in, in the order in which it would meet them. */
  readonly because: readonly string[];
  /** What to do next: by the server's operators, or by whoever asked. */
  readonly next: readonly string[];
}

/** All that was found out. */
export interface Diagnosis {
  readonly package: { readonly name: string; readonly version: string };
  readonly platform: string;
  /** An ISO 8601 date. */
  readonly at: string;
  readonly server: string;
  readonly verdict: Verdict;
  readonly capabilities: readonly Capability[];
  readonly steps: readonly Step[];
}
