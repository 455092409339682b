import { describe, expect, it } from "vitest";
import { McpOAuthError, type McpOAuthErrorDetails } from "../../../src/core/errors.ts";
import { afterFailure, type FailureRow, isDefiniteRefusal, pauseLeft } from "../../../src/tokens/backoff.ts";

function refusal(details: McpOAuthErrorDetails): McpOAuthError {
  return new McpOAuthError("token_request_failed", "Refused.", details);
}
const passing = new McpOAuthError("network_failed", "Lost.");

describe("isDefiniteRefusal", () => {
  it.each<[McpOAuthErrorDetails, boolean]>([
    [{ status: 400, oauthError: "invalid_grant" }, true],
    [{ status: 401, oauthError: "invalid_client" }, true],
    [{ status: 403 }, true],
    [{ status: 404 }, true],
    [{ status: 200, oauthError: "x_custom" }, true],
    [{ status: 400, oauthError: "temporarily_unavailable" }, false],
    [{ status: 400, oauthError: "server_error" }, false],
    [{ status: 400, oauthError: "slow_down" }, false],
    [{ status: 408 }, false],
    [{ status: 425 }, false],
    [{ status: 429 }, false],
    [{ status: 500 }, false],
    [{ status: 503, oauthError: "invalid_grant" }, false],
    [{}, false],
  ])("%j: %s [ERR-3]", (details, expected) => {
    expect(isDefiniteRefusal(refusal(details))).toBe(expected);
  });

  it("is never a fault on the way", () => {
    for (const code of ["network_failed", "timeout", "invalid_response"] as const) {
      expect(isDefiniteRefusal(new McpOAuthError(code, "Lost.", { status: 400 }))).toBe(false);
    }
  });
});

describe("afterFailure", () => {
  function row(length: number, error: McpOAuthError = passing): FailureRow {
    let last: FailureRow | undefined;
    for (let index = 0; index < length; index++) last = afterFailure(last, error, 0);
    return last!;
  }

  it.each([
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [6, 32_000],
    [9, 256_000],
    [10, 300_000],
    [50, 300_000],
    [5000, 300_000],
  ])("waits after failure %i about %i ms, give or take a quarter [ERR-3]", (failures, delayMs) => {
    const delays = Array.from(
      { length: 50 },
      () => afterFailure({ ...row(1), failures: failures - 1 }, passing, 0).retryAt,
    );
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(delayMs * 0.75);
    expect(Math.max(...delays)).toBeLessThanOrEqual(delayMs * 1.25);
    expect(new Set(delays).size).toBeGreaterThan(10);
  });

  it("never waits shorter than the server asks for, and longer when it is due anyway [ERR-3]", () => {
    expect(afterFailure(undefined, refusal({ status: 429, retryAfterMs: 90_000 }), 1000).retryAt).toBe(91_000);
    expect(afterFailure(row(8), refusal({ status: 429, retryAfterMs: 1 }), 0).retryAt).toBeGreaterThan(100_000);
  });

  it("counts refusals in a row, and begins anew after a fault that may pass", () => {
    const denied = refusal({ status: 400, oauthError: "unauthorized_client" });
    expect(row(3, denied)).toMatchObject({ failures: 3, refusals: 3, error: denied });
    expect(afterFailure(row(3, denied), passing, 0)).toMatchObject({ failures: 4, refusals: 0, error: passing });
  });
});

describe("pauseLeft", () => {
  const row = { ...afterFailure(undefined, passing, 10_000), retryAt: 11_000 };
  it.each([
    [10_000, 1000],
    [10_999, 1],
    [11_000, 0],
    [90_000, 0],
    // The clock was set back.
    [9999, 0],
    [-90_000, 0],
  ])("at %i of a pause from 10,000 to 11,000: %i ms", (nowMs, left) => {
    expect(pauseLeft(row, nowMs)).toBe(left);
  });
});
