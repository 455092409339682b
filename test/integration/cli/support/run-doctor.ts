// The doctor as people run it, with its diagnosis as data: each broken server is examined by the built program.
import { expect } from "vitest";
import { type CliEnvironment, jsonOf, newHome, runCli } from "./run-cli.ts";

export interface Finding {
  readonly id: string;
  readonly level: "ok" | "note" | "warning" | "problem";
  readonly seen: string;
  readonly rule: { readonly source: string; readonly url: string };
  readonly library?: string;
  readonly fix?: string;
  readonly code?: string;
}

export interface Exchange {
  readonly number: number;
  readonly by: "library" | "doctor";
  readonly method: string;
  readonly url: string;
  readonly status?: number;
}

export interface Diagnosis {
  readonly verdict: {
    readonly id: string;
    readonly summary: string;
    readonly because: string[];
    readonly next: string[];
  };
  readonly capabilities: readonly {
    readonly id: string;
    readonly offered: boolean | "unknown";
    readonly detail: string;
  }[];
  readonly steps: readonly {
    readonly id: string;
    readonly exchanges: readonly Exchange[];
    readonly findings: readonly Finding[];
  }[];
}

export interface Examined {
  readonly exitCode: number | null;
  readonly verdict: Diagnosis["verdict"];
  /** What is offered, by id. */
  readonly offered: Readonly<Record<string, boolean | "unknown">>;
  readonly findings: readonly Finding[];
  /** The finding with this id; fails the test when there is none. */
  finding(id: string): Finding;
  /** Each request as `POST /mcp 401`, in order. */
  readonly requests: readonly string[];
  /** Those of them that a sign-in sends too. */
  readonly byLibrary: readonly string[];
  readonly diagnosis: Diagnosis;
}

export interface DoctorOptions {
  readonly args?: readonly string[];
  readonly env?: CliEnvironment;
}

/** Examines a server. What holds for every diagnosis is checked here. */
export async function examine(url: URL | string, { args = [], env = {} }: DoctorOptions = {}): Promise<Examined> {
  const home = await newHome();
  const result = await runCli(["doctor", String(url), "--json", ...args], { env: { ...home.env, ...env } });
  const diagnosis = jsonOf<Diagnosis>(result);
  expect(
    diagnosis.steps?.map(({ id }) => id),
    result.stdout,
  ).toEqual(["server", "resource", "authorization_server", "client", "sign_in"]);
  const findings = diagnosis.steps.flatMap((step) => step.findings);
  for (const finding of findings) expectComplete(finding);
  const exchanges = diagnosis.steps.flatMap((step) => step.exchanges).sort((left, right) => left.number - right.number);
  const named = (list: readonly Exchange[]): string[] =>
    list.map(({ method, url: asked, status }) => `${method} ${new URL(asked).pathname} ${status ?? "-"}`);
  return {
    exitCode: result.exitCode,
    verdict: diagnosis.verdict,
    offered: Object.fromEntries(diagnosis.capabilities.map(({ id, offered }) => [id, offered])),
    findings,
    requests: named(exchanges),
    byLibrary: named(exchanges.filter(({ by }) => by === "library")),
    diagnosis,
    finding(id) {
      const found = findings.find((finding) => finding.id === id);
      expect(found, `${id} among ${findings.map((finding) => finding.id).join(", ")}`).toBeDefined();
      return found as Finding;
    },
  };
}

/** Every finding cites its rule, and whatever is wrong comes with what to do about it. */
function expectComplete({ level, rule, library, fix, seen, id }: Finding): void {
  expect(rule.source, id).toMatch(/ section \d| 20\d\d-\d\d-\d\d /);
  expect(rule.url, id).toMatch(/^https:\/\//);
  expect(seen, id).toMatch(/^\S.*\S$/);
  if (level === "warning" || level === "problem") expect(fix, id).toBeTruthy();
  if (level === "problem" && id !== "token.made_up") expect(library, id).toBeTruthy();
}
