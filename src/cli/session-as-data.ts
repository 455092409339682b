import type { SessionStatus } from "../index.ts";
import { errorAsData } from "./error-as-data.ts";

/** A session as it stands in `--json` output. Times are milliseconds since the epoch. */
export function sessionAsData(session: SessionStatus): Record<string, unknown> {
  const { server, account, error, ...rest } = session;
  return { server, account, ...rest, ...(error !== undefined && { error: errorAsData(error) }) };
}
