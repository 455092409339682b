// The documentation, held against the package: whoever copies its code gets no error, and its table of errors has no gap.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { mcpOAuthErrorCodes } from "mcp-oauth-client";
import { expect, it } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = ["README.md", "src/guide/in-a-product.md"];

/** What the code takes for granted, and each block may declare anew. */
const surroundings = `
import type { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type * as Package from "mcp-oauth-client";

declare global {
  const url: URL;
  const client: Client;
  const transport: StreamableHTTPClientTransport;
  const tokens: Package.TokenManager;
  const findMcpOAuthError: typeof Package.findMcpOAuthError;
  const error: unknown;
  const issuer: string;
  const clientId: string;
  const accessToken: string;
  const refreshToken: string;
  const pem: string;
  const identityProvider: Package.EnterpriseManagedGrant["identityProvider"];
  const subjectToken: Package.EnterpriseManagedGrant["subjectToken"];
  function databaseStore(options: { schema: string }): Package.TokenStore;
}
`;
// The grant's client has the name that the MCP client has elsewhere.
const grantsClient = 'declare const client: import("mcp-oauth-client").ClientCredentialsInput;\n';
const texts = 'export declare const texts: Record<import("mcp-oauth-client").McpOAuthErrorCode, string>;\n';

function codeOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  return blocks.map((code) => (code.includes('"enterprise_managed"') ? grantsClient + code : code));
}

it("has code that the package's types accept", async () => {
  const folder = await mkdtemp(join(tmpdir(), "documentation-"));
  try {
    await symlink(join(root, "node_modules"), join(folder, "node_modules"), "dir");
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await writeFile(join(folder, "surroundings.ts"), surroundings);
    await writeFile(join(folder, "texts.ts"), texts);
    for (const page of pages) {
      const blocks = codeOf(await readFile(join(root, page), "utf8"));
      expect(blocks.length, page).toBeGreaterThan(3);
      const name = basename(page, ".md");
      for (const [index, code] of blocks.entries()) await writeFile(join(folder, `${name}-${index + 1}.ts`), code);
    }
    const compilerOptions = {
      paths: { "mcp-oauth-client": [join(root, "src/index.ts")], "mcp-oauth-client/*": [join(root, "src/*.ts")] },
      typeRoots: [join(root, "node_modules/@types")],
      moduleDetection: "force",
      isolatedDeclarations: false,
      declaration: false,
      rewriteRelativeImportExtensions: false,
      noUnusedLocals: false,
      skipLibCheck: true,
    };
    const project = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["*.ts"] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(project));
    const { stdout } = await run(join(root, "node_modules/.bin/tsc"), ["-p", folder]).catch((failure) => failure);
    expect(stdout).toBe("");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it("says for every error code what to show", async () => {
  const guide = await readFile(join(root, "src/guide/in-a-product.md"), "utf8");
  const [, section = ""] = /^## Errors for people$(.*?)^## /ms.exec(guide) ?? [];
  const cells = [...section.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = ""]) => cell);
  const codes = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code));
  expect(codes.sort()).toEqual([...mcpOAuthErrorCodes].sort());
});
