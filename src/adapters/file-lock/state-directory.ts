import { isAbsolute, join } from "node:path";

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder of the current user for what this library keeps between runs: `$XDG_STATE_HOME/mcp-oauth-client` or
 * `~/.local/state/mcp-oauth-client`, `~/Library/Application Support/mcp-oauth-client` on macOS,
 * `%LOCALAPPDATA%\mcp-oauth-client` on Windows (XDG Base Directory Specification, for the first).
 */
export function defaultStateDirectory(
  environment: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = process.getBuiltinModule("node:os").homedir(),
): string {
  return join(stateRoot(environment, platform, home), "mcp-oauth-client");
}

function stateRoot(environment: Environment, platform: NodeJS.Platform, home: string): string {
  if (platform === "darwin") return join(home, "Library", "Application Support");
  if (platform === "win32") return environment.LOCALAPPDATA || join(home, "AppData", "Local");
  // The specification says that a relative path is to be ignored.
  const configured = environment.XDG_STATE_HOME ?? "";
  return isAbsolute(configured) ? configured : join(home, ".local", "state");
}
