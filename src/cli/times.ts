const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });

/** Each unit, in seconds, and how much of it there may be before the next one reads better. */
const units = [
  { unit: "second", seconds: 1, upTo: 120 },
  { unit: "minute", seconds: 60, upTo: 120 },
  { unit: "hour", seconds: 3600, upTo: 48 },
  { unit: "day", seconds: 86_400, upTo: Number.POSITIVE_INFINITY },
] as const;

/** A moment as people say it: "in 52 minutes", "3 hours ago", "just now". Times are milliseconds since the epoch. */
export function relativeTime(atMs: number, nowMs: number): string {
  const seconds = (atMs - nowMs) / 1000;
  for (const { unit, seconds: length, upTo } of units) {
    const amount = Math.round(seconds / length);
    if (Math.abs(amount) < upTo) return amount === 0 ? "just now" : relative.format(amount, unit);
  }
  return "at an unknown time";
}
