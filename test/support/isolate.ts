import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Keeps tests away from the person who runs them: no display, no session bus (so no keychain of theirs), and folders of
 * their own for data and configuration. A test that needs a keychain starts one: secret-service.ts.
 *
 * At the end it says what was skipped for want of something (see requires.ts), unless `npm test` does.
 */
export default function setup(): () => void {
  const home = mkdtempSync(join(tmpdir(), "mcp-oauth-client-test-"));
  for (const name of ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"]) {
    process.env[name] = join(home, name);
    mkdirSync(join(home, name), { mode: 0o700 });
  }
  delete process.env.DISPLAY;
  delete process.env.WAYLAND_DISPLAY;
  process.env.DBUS_SESSION_BUS_ADDRESS = `unix:path=${join(home, "no-bus-here")}`;
  const record = join(home, "missing.jsonl");
  process.env.TEST_MISSING ??= record;
  return () => {
    reportMissing(record);
    rmSync(home, { recursive: true, force: true });
  };
}

function reportMissing(record: string): void {
  let text = "";
  try {
    text = readFileSync(record, "utf8").trim();
  } catch {
    return;
  }
  for (const line of new Set(text.split("\n"))) {
    const { what, how } = JSON.parse(line) as { what: string; how: string };
    process.stdout.write(`Tests were skipped because ${what} is missing. Install it: ${how}\n`);
  }
}
