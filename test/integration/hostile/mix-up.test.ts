import { describe } from "vitest";
import { mixUpCases } from "./cases/mix-up.ts";
import { hostile } from "./support/case.ts";
import { runSignIn } from "./support/sign-in.ts";

describe("one server for another", () => {
  hostile(mixUpCases, runSignIn);
});
