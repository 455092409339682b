import { expect, it } from "vitest";
import { Redactor } from "../../../src/cli/doctor/redactor.ts";

it("takes a secret out also where an invisible character is inside of it", () => {
  const redactor = new Redactor("https://mcp.example.com/mcp?key=canary-of-the-key");
  redactor.learn("canary-of-a-session");
  const shown = JSON.stringify(
    redactor.everywhere({
      said: "canary-of\u200b-a-session",
      also: ["canary\u202e-of-the-key", "canary-of-a-session"],
    }),
  );
  expect(shown).not.toContain("canary");
  expect(shown.match(/redacted/g)).toHaveLength(3);
});
