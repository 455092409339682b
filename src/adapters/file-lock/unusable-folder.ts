import { McpOAuthError } from "../../core/errors.ts";

/** The error for a folder that the file system does not let us use. */
export function unusableFolder(path: string, error: unknown): McpOAuthError {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "unknown error";
  return new McpOAuthError(
    "store_unavailable",
    `The folder ${path} cannot be used (${code}). Make it writable for this user, or choose another one with the store's option "directory".`,
    { cause: error },
  );
}
