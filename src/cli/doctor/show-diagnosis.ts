import { stripVTControlCharacters } from "node:util";
import { isJsonObject, textMember } from "../../core/json.ts";
import { wrapText } from "../layout.ts";
import type { Output, Style } from "../output.ts";
import type { Capability, Diagnosis, Exchange, Finding, Level, Step, VerdictId } from "./diagnosis.ts";

/** Not by colour alone: each level has a sign, and all but `ok` a word. */
const SIGNS: Record<Level, { readonly sign: string; readonly word: string; readonly style: Style }> = {
  ok: { sign: "✓", word: "", style: "green" },
  note: { sign: "·", word: "Note:", style: "cyan" },
  warning: { sign: "!", word: "Warning:", style: "yellow" },
  problem: { sign: "✗", word: "Problem:", style: "red" },
};

const VERDICT_LEVELS: Record<VerdictId, Level> = {
  can_sign_in: "ok",
  no_sign_in_needed: "ok",
  cannot_sign_in: "problem",
  unreachable: "problem",
};

/** Stands for a space at which no line is to be broken. */
const GLUE = "\u00a0";
const MOST_BODY_LINES = 60;

/** What a message to the MCP server asks. */
function asks({ requestBody, requestHeaders }: Exchange): string {
  const method = isJsonObject(requestBody) ? textMember(requestBody, "method") : undefined;
  if (method === undefined) return "";
  return "authorization" in requestHeaders ? ` (${method}, made-up token)` : ` (${method})`;
}

/** What came, in a word, where there is one for it. */
function kindOf(contentType: string | undefined): string {
  const [type = ""] = contentType?.split(";") ?? [];
  if (type === "") return "";
  if (/[/+]json$/.test(type)) return `JSON, `;
  return type === "text/html" ? "HTML, " : `${type}, `;
}

/** JSON on several lines, but lists of texts on one. */
function compactJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /\[\n\s+([^[\]{}]*?)\n\s+\]/g,
    (_list, items: string) => `[${items.replace(/\n\s+/g, " ")}]`,
  );
}

/** Lays a diagnosis out for people: the steps in their order, what is offered, and the verdict where the eye ends. */
export class DiagnosisText {
  readonly #output: Output;
  readonly #diagnosis: Diagnosis;
  /** Whether headers and bodies are shown too. */
  readonly #verbose: boolean;

  constructor(output: Output, diagnosis: Diagnosis, verbose: boolean) {
    this.#output = output;
    this.#diagnosis = diagnosis;
    this.#verbose = verbose;
  }

  toString(): string {
    const { server, steps, capabilities, verdict } = this.#diagnosis;
    const reached = 1 + steps.findLastIndex(({ exchanges, findings }) => exchanges.length + findings.length > 0);
    const parts = [
      `${this.#style("bold", `Doctor for ${server}`)}\n${this.#style("dim", "Nobody is signed in. Requests marked + are the doctor's own.")}`,
      ...steps.slice(0, reached).map((step, index) => this.#step(step, index + 1)),
      ...(reached < steps.length ? [this.#notReached(steps.slice(reached))] : []),
      ...(capabilities.length > 0 ? [this.#capabilities(capabilities)] : []),
      this.#style("bold", "Verdict"),
    ];
    const { sign, style } = SIGNS[VERDICT_LEVELS[verdict.id]];
    const summary = this.#hang(this.#style(style, sign), verdict.summary, 2);
    const next = verdict.next.map((line, index) =>
      verdict.next.length > 1 ? this.#hang(`${index + 1}.`, line, 5) : this.#hang(" ", line, 2),
    );
    const what = next.length > 0 ? `\n\n${next.join("\n")}` : "";
    return `${parts.join("\n\n")}\n${summary}${what}\n`;
  }

  #step({ title, exchanges, findings }: Step, number: number): string {
    const heading = this.#style("bold", `${number}. ${title}`);
    if (exchanges.length === 0 && findings.length === 0) return `${heading}\n   Not reached.`;
    const asked = exchanges.map((exchange) => this.#exchange(exchange)).join("\n");
    const found = findings.map((finding) => this.#finding(finding)).join("\n");
    // Findings keep clear of the requests they were made from.
    const gap = asked !== "" && found !== "" ? [""] : [];
    return [heading, ...(asked === "" ? [] : [asked]), ...gap, ...(found === "" ? [] : [found])].join("\n");
  }

  #notReached(steps: readonly Step[]): string {
    const titles = steps.map(({ title }) => title).join(", ");
    return this.#style("dim", wrapText(`Not reached: ${titles}.`, this.#output.width));
  }

  #exchange(exchange: Exchange): string {
    const { by, method, url, status, headers, durationMs, error } = exchange;
    const outcome =
      status === undefined
        ? (error ?? "no answer")
        : `${status}${GLUE}${kindOf(headers?.["content-type"])}${durationMs}${GLUE}ms`;
    const line = `${method} ${this.#shortened(url)}${asks(exchange)} ${this.#style("dim", "→")} ${outcome}`;
    const shown = this.#hang(by === "doctor" ? "+" : " ", line, 5);
    return this.#verbose ? `${shown}\n${this.#details(exchange)}` : shown;
  }

  /** Headers and bodies, as far as they may be shown. */
  #details({ requestHeaders, requestBody, headers = {}, body, error, status }: Exchange): string {
    const headerLines = (mark: string, shown: Exchange["requestHeaders"]): string[] =>
      Object.entries(shown).map(([name, value]) => `${mark} ${name}: ${value}`);
    const bodyLines = (mark: string, value: unknown): string[] => {
      if (value === undefined) return [];
      const lines = (typeof value === "string" ? value : compactJson(value)).split("\n");
      const cut = lines.length > MOST_BODY_LINES ? [`… ${lines.length - MOST_BODY_LINES} lines more`] : [];
      return [...lines.slice(0, MOST_BODY_LINES), ...cut].map((line) => `${mark} ${line}`);
    };
    const lines = [
      ...headerLines(">", requestHeaders),
      ...bodyLines(">", requestBody),
      ...headerLines("<", headers),
      ...bodyLines("<", body),
      ...(error !== undefined && status !== undefined ? [`! ${error}`] : []),
    ];
    return lines.map((line) => this.#style("dim", wrapText(`       ${line}`, this.#output.width))).join("\n");
  }

  #finding({ level, seen, rule, library, fix }: Finding): string {
    const { sign, word, style } = SIGNS[level];
    const short = rule.source
      .replace(" section ", " §")
      .replace("MCP 2026-07-28 ", "MCP ")
      .replace(/^draft-ietf-oauth-/, "");
    const source = this.#style("dim", `[${short}]`.replaceAll(" ", GLUE));
    const label = word === "" ? "" : `${this.#style(style, word)} `;
    const lines = [this.#hang(this.#style(style, sign), `${label}${seen} ${source}`, 3)];
    if (library !== undefined) lines.push(this.#hang(" ", `${this.#style("dim", "Library:")} ${library}.`, 5));
    if (fix !== undefined) lines.push(this.#hang(" ", `${this.#style("dim", "Fix:")} ${fix}.`, 5));
    return lines.join("\n");
  }

  #capabilities(capabilities: readonly Capability[]): string {
    const rows = capabilities.map(({ name, offered, detail }): [string, string] => {
      if (offered === "unknown") return [name, `unknown (${detail})`];
      return [name, offered ? `yes (${detail})` : "no"];
    });
    return `${this.#style("bold", "What it offers")}\n${this.#output.rows(rows)}`;
  }

  /** A sign in the margin and text behind it that keeps clear of it. */
  #hang(sign: string, text: string, indent: number): string {
    const lines = wrapText(text, this.#output.width - indent).split("\n");
    const margin = `${" ".repeat(indent - stripVTControlCharacters(sign).length - 1)}${sign} `;
    return lines
      .map((line, index) => (index === 0 ? margin : " ".repeat(indent)) + line)
      .join("\n")
      .replaceAll(GLUE, " ");
  }

  /** Addresses at the server's own origin without it. */
  #shortened(url: string): string {
    const { origin } = new URL(this.#diagnosis.server);
    return url.startsWith(`${origin}/`) ? url.slice(origin.length) : url;
  }

  #style(style: Style, text: string): string {
    return this.#output.style(style, text);
  }
}
