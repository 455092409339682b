// The corpus as a whole: how much there is, and that every line of it has been seen to fail.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { callbackCases, reflectionCases } from "./cases/callback.ts";
import { forgedCallbacks, pasteCases, signInInjections } from "./cases/code-injection.ts";
import { mixUpCases } from "./cases/mix-up.ts";
import { parsingCases } from "./cases/parsing.ts";
import { requestRedirects, sessionRedirects, signInRedirects } from "./cases/redirects.ts";
import { loopCases, sizeCases, stallCases } from "./cases/size-and-time.ts";
import { ssrfCases } from "./cases/ssrf.ts";
import { fileCases, keychainCases, recordCases } from "./cases/storage.ts";
import { shownTextCases, textCases } from "./cases/text.ts";
import { hiddenUrls, urlCases } from "./cases/url-opening.ts";
import { defences, groups, means } from "./defences.mjs";
import type { HostileCase } from "./support/case.ts";

const corpus: Record<keyof typeof groups, readonly HostileCase[]> = {
  ssrf: ssrfCases,
  redirects: [...signInRedirects, ...requestRedirects, ...sessionRedirects],
  parsing: parsingCases,
  "size-and-time": [...sizeCases, ...stallCases, ...loopCases],
  "mix-up": mixUpCases,
  "code-injection": [...signInInjections, ...forgedCallbacks, ...pasteCases],
  callback: [...callbackCases, ...reflectionCases],
  "url-opening": [...urlCases, ...hiddenUrls],
  text: [...textCases, ...shownTextCases],
  storage: [...fileCases, ...recordCases, ...keychainCases],
};
const ids = Object.values(corpus).flatMap((cases) => cases.map(({ id }) => id));
const source = (file: string): string => fileURLToPath(new URL(`../../../src/${file}`, import.meta.url));

describe("the corpus", () => {
  it("has 150 cases and more, each with a name of its own", () => {
    expect(ids.length).toBeGreaterThanOrEqual(150);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(Object.entries(corpus))("has ten cases and more of %s, all named for it", (group, cases) => {
    expect(cases.length).toBeGreaterThanOrEqual(10);
    const beginnings = groups[group as keyof typeof groups];
    for (const { id } of cases)
      expect(
        beginnings.some((beginning) => id.startsWith(`${beginning}-`)),
        id,
      ).toBe(true);
  });

  it("has a defence for each case, which was seen to fail without it", () => {
    const covered = defences.flatMap(({ covers }) => covers);
    expect(ids.filter((id) => !covered.some((line) => means(line, id)))).toEqual([]);
    expect(covered.filter((line) => !ids.some((id) => means(line, id)))).toEqual([]);
  });

  it("names defences that are there", async () => {
    for (const { file, code, without } of defences.flatMap(({ removals }) => removals)) {
      const text = await readFile(source(file), "utf8");
      expect(text.split(code).length - 1, `${file} has once: ${code}`).toBe(1);
      expect(without).not.toBe(code);
    }
  });
});
