import { vi } from "vitest";
import { fileSystem } from "../../../../src/adapters/file-system.ts";

/**
 * Has a function of the file system fail until the end of the test, as it does on systems that a test cannot have: for
 * modules that are imported after this.
 */
export function failOn(
  name: "linkSync" | "openSync" | "readdirSync",
  code: string,
  isFailing: (path: string) => boolean,
): void {
  const original = fileSystem[name] as (...given: unknown[]) => unknown;
  const failing = (...given: unknown[]): unknown => {
    if (isFailing(String(given[0]))) throw Object.assign(new Error(`${code}: refused`), { code });
    return original(...given);
  };
  vi.spyOn(fileSystem, name).mockImplementation(failing as never);
  vi.resetModules();
}
