import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: ["test/unit/tokens/**/*.test.ts", "test/unit/tokens-*/**/*.test.ts"],
    pool: "threads",
    restoreMocks: true,
    testTimeout: 6000,
  },
});
