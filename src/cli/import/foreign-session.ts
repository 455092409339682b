import type { ImportedSession } from "../../index.ts";

/** The programs whose files are known. */
export type Origin = "mcp-remote" | "gemini-cli";

/** A session in another program's files. */
export interface ForeignSession {
  readonly origin: Origin;
  /** Names it where its server is not known. */
  readonly label: string;
  /** The MCP server's URL. */
  readonly server?: string;
  /** Absent where it cannot be taken over. */
  readonly session?: ImportedSession;
  /** Why not. */
  readonly problem?: string;
  /** Removes it from the other program's files. */
  readonly forget?: () => Promise<void>;
}

/** What stands for files that the system does not let anybody read. */
export function unreadable(origin: Origin, label: string, { code, message }: NodeJS.ErrnoException): ForeignSession {
  return { origin, label, problem: `its files cannot be read (${code ?? message})` };
}

/** Where the other programs keep their files, and what a person says beside. */
export interface SearchPlaces {
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** URLs of MCP servers that may be the ones. */
  readonly servers: readonly string[];
}
