// Answers of a server that the fuzzer has written.
import fc from "fast-check";
import { Http } from "../../../src/core/http.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { asHeaderValue, hostileText } from "../generate-text.ts";

export interface WrittenAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** An answer with a body; most often it comes with the status and type that a right server gives. */
export function answerWith(body: fc.Arbitrary<string>, usualStatus = 200): fc.Arbitrary<WrittenAnswer> {
  const usual = fc.constantFrom("application/json", "application/json", "application/json;charset=utf-8");
  const odd = fc.oneof(fc.constantFrom("text/html", "", "application/jwt"), hostileText.map(asHeaderValue));
  const contentType = fc.oneof({ weight: 8, arbitrary: usual }, { weight: 1, arbitrary: odd });
  const status = fc.oneof(
    { weight: 9, arbitrary: fc.constant(usualStatus) },
    { weight: 1, arbitrary: fc.constantFrom(200, 201, 204, 302, 400, 401, 404, 429, 500, 503) },
  );
  return fc.record({ status, contentType, body });
}

const WITHOUT_BODY = new Set([204, 205, 304]);

function responseOf({ status, contentType, body }: WrittenAnswer): Response {
  const headers = { "content-type": contentType };
  return new Response(WITHOUT_BODY.has(status) ? null : body, { status, headers });
}

/** The library's own client over a `fetch` that gives these answers. Whatever URL is named, nothing leaves the process. */
export function httpAnswering(answerTo: (url: string) => WrittenAnswer): { http: Http; clock: ManualClock } {
  const clock = new ManualClock();
  return { clock, http: new Http({ clock, fetch: async (url) => responseOf(answerTo(String(url))) }) };
}
