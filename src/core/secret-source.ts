import { McpOAuthError } from "./errors.ts";
import { Secret } from "./secret.ts";

/** A secret that lives in a file or in an environment variable. */
export type SecretSource = { readonly file: string } | { readonly environmentVariable: string };

/**
 * Reads a secret, without the white space around it.
 *
 * @throws `invalid_configuration` when there is none.
 */
export async function readSecretSource(source: SecretSource): Promise<Secret> {
  if ("environmentVariable" in source) {
    const value = process.env[source.environmentVariable]?.trim();
    if (value !== undefined && value !== "") return new Secret(value);
    throw new McpOAuthError(
      "invalid_configuration",
      `The environment variable ${source.environmentVariable} is empty or not set.`,
    );
  }
  const { readFile } = await import("node:fs/promises");
  let text: string;
  try {
    text = (await readFile(source.file, "utf8")).trim();
  } catch (error) {
    throw new McpOAuthError("invalid_configuration", `The token file ${source.file} cannot be read.`, { cause: error });
  }
  if (text === "") throw new McpOAuthError("invalid_configuration", `The token file ${source.file} is empty.`);
  return new Secret(text);
}
