import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = (path: string): string => fileURLToPath(new URL(`../src/${path}.ts`, import.meta.url));

export default defineConfig({
  root,
  // In this process the package's name means its source; child processes and examples get dist/ by the exports map.
  resolve: {
    alias: [
      { find: /^mcp-oauth-client$/, replacement: source("index") },
      { find: /^mcp-oauth-client\/(.+)$/, replacement: source("$1") },
    ],
  },
  test: {
    maxWorkers: 2,
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          globalSetup: "test/support/isolate.ts",
          pool: "threads",
          testTimeout: 10_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/{integration,servers}/**/*.test.ts"],
          globalSetup: "test/support/isolate.ts",
          pool: "forks",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          globalSetup: "test/support/isolate.ts",
          pool: "forks",
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
