import { describe } from "vitest";
import { parsingCases } from "./cases/parsing.ts";
import { hostile } from "./support/case.ts";
import { runSignIn } from "./support/sign-in.ts";

describe("text that is not what it should be", () => {
  hostile(parsingCases, runSignIn);
});
