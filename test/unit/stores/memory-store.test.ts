import { test } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { testTokenStore } from "../../../src/testing/token-store-contract.ts";

testTokenStore("memory", () => memoryStore(), { test, shared: false });
