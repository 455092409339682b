import { cacheLifetimeMs } from "../../discovery/cache.ts";
import type { Finding, Rule, StepId } from "./diagnosis.ts";
import type { Examination } from "./examination.ts";
import { note, warning } from "./findings.ts";
import type { Recording } from "./recorder.ts";
import { rfc } from "./rules.ts";

/** What servers mostly let pass in proofs and assertions. */
const TOLERATED_SKEW_MS = 60_000;
/** From here on people wonder whether anything happens. */
const SLOW_MS = 3000;

/** How a metadata document is served, whatever is in it. */
export function deliveryFindings({ http }: Examination, url: string, step: StepId, rule: Rule): Finding[] {
  const recordings = http.recorder.recordings;
  const start = recordings.findIndex((recording) => recording.url === url && recording.method === "GET");
  const first = recordings[start];
  if (first === undefined) return [];
  const findings: Finding[] = [];
  if ((first.status ?? 0) >= 300 && (first.status ?? 0) < 400) {
    const seen = `The metadata at ${url} is behind a redirect.`;
    const library = "follows up to three on the same origin";
    findings.push(warning(`${step}.redirected`, rule, seen, { library, fix: "answer at that address itself" }));
  }
  // Redirects are followed one after the other, so the document comes in the first answer that is none.
  const last = recordings.slice(start).find(({ status = 0 }) => status === 200);
  const { headers } = last ?? first;
  const type = headers?.get("content-type")?.toLowerCase() ?? "";
  if (headers !== undefined && !/^application\/(?:[\w.+-]+\+)?json\b/.test(type)) {
    const seen = `The metadata at ${url} is served as ${type === "" ? "no type" : type}, not as application/json.`;
    const fix = "send Content-Type: application/json";
    findings.push(warning(`${step}.content_type`, rule, seen, { library: "reads it all the same", fix }));
  }
  if (headers !== undefined && cacheLifetimeMs(headers) === 0) {
    const seen = "The metadata may not be cached, so every sign-in and refresh of a new process fetches it again.";
    const fix = "send Cache-Control: max-age=3600, or so";
    findings.push(note(`${step}.cache`, rfc(9111, "5.2.2"), seen, { library: "fetches it each time", fix }));
  }
  return findings;
}

/** What the answers of a server tell beside what they say: how late they come, and how late it is there. */
export function timeFindings(recordings: readonly Recording[], step: StepId): Finding[] {
  const findings: Finding[] = [];
  const slowest = Math.max(0, ...recordings.map(({ durationMs }) => durationMs ?? 0));
  if (slowest > SLOW_MS) {
    const seen = `An answer took ${(slowest / 1000).toFixed(1)} s.`;
    const library = "waits for 30 s by default, and then fails with the error timeout";
    findings.push(note(`${step}.slow`, rfc(9110, "15.6.5"), seen, { library }));
  }
  const skews = recordings.map(({ headers, answeredAt }) => Date.parse(headers?.get("date") ?? "") - (answeredAt ?? 0));
  const worst = skews.filter(Number.isFinite).sort((left, right) => Math.abs(right) - Math.abs(left))[0] ?? 0;
  if (Math.abs(worst) > TOLERATED_SKEW_MS) {
    const seconds = Math.round(Math.abs(worst) / 1000);
    const seen = `Its clock is ${seconds} s ${worst > 0 ? "ahead of" : "behind"} the one of this machine.`;
    const library = "is not disturbed: lifetimes are relative. Proofs and assertions carry this machine's time";
    findings.push(warning(`${step}.clock`, rfc(9110, "6.6.1"), seen, { library, fix: "set the clocks right (NTP)" }));
  }
  return findings;
}
