import type { Exchange } from "./diagnosis.ts";
import type { Recording } from "./recorder.ts";
import type { Redactor } from "./redactor.ts";

/** What was recorded, as far as it may be shown. */
export function exchangesOf(recordings: readonly Recording[], redactor: Redactor): Exchange[] {
  for (const { headers, text } of recordings) if (headers !== undefined) redactor.learnFrom(headers, text);
  return recordings.map((recording, index) => {
    const { step, by, method, url, requestBody, status, headers, durationMs, bytes, text, error } = recording;
    const sent = redactor.body(requestBody);
    const body = redactor.body(text);
    return {
      number: index + 1,
      step,
      by,
      method,
      url,
      requestHeaders: redactor.headers(recording.requestHeaders),
      ...(sent !== undefined && { requestBody: sent }),
      ...(status !== undefined && { status }),
      ...(headers !== undefined && { headers: redactor.headers(headers) }),
      ...(durationMs !== undefined && { durationMs, bytes }),
      ...(body !== undefined && { body }),
      ...(error !== undefined && { error }),
    };
  });
}
