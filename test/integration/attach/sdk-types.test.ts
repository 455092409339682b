// The types of the SDKs take what we give, with the flags of this project and with those of its users.
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const file = fileURLToPath(new URL("support/sdk-types.ts", import.meta.url));

/** Read once for all programs: only the types of the SDKs are many, and their text does not depend on the flags. */
const parsed = new Map<string, ts.SourceFile | undefined>();

function problems(options: ts.CompilerOptions, source?: (text: string) => string): string[] {
  const { config } = ts.readConfigFile(fileURLToPath(new URL("../../tsconfig.json", import.meta.url)), ts.sys.readFile);
  const base = ts.parseJsonConfigFileContent(config, ts.sys, fileURLToPath(new URL("../..", import.meta.url)));
  const all = { ...base.options, ...options };
  const host = ts.createCompilerHost(all);
  const { getSourceFile } = host;
  host.getSourceFile = (name, languageVersion) => {
    if (name === file && source) return ts.createSourceFile(name, source(ts.sys.readFile(name) ?? ""), languageVersion);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, languageVersion));
    return parsed.get(name);
  };
  const program = ts.createProgram([file], all, host);
  const diagnostics = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

describe("the SDKs' types take what tokens.fetch, authProvider and bearerProvider give", () => {
  it.each<[string, ts.CompilerOptions]>([
    ["with exactOptionalPropertyTypes", { exactOptionalPropertyTypes: true }],
    ["without exactOptionalPropertyTypes", { exactOptionalPropertyTypes: false }],
  ])("%s", (_flags, options) => {
    expect(problems(options)).toEqual([]);
  });

  it("and this check can fail", () => {
    const wrong = (text: string): string =>
      text.replaceAll("tokens.authProvider(url)", "{ ...tokens.authProvider(url), saveTokens: 1 }");
    expect(problems({ exactOptionalPropertyTypes: true }, wrong).length).toBeGreaterThan(5);
  });
});
