/**
 * The wait that a Retry-After field asks for, in milliseconds, or `undefined` (RFC 9110 section 10.2.3). Longer waits
 * than a day are cut: nobody means them.
 */
export function parseRetryAfter(headers: Headers, nowMs: number): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  // More digits than a number can hold are a long wait, too.
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), 86_400_000);
}
