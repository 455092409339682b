/** The scopes of a space-separated text, in order, each once (RFC 6749 section 3.3: case matters). */
export function scopesOf(scope: string | undefined): string[] {
  return [...new Set((scope ?? "").split(" ").filter((each) => each !== ""))];
}

/** All scopes of several texts, in order, each once; `undefined` when there is none. */
export function unionOfScopes(...scopes: readonly (string | undefined)[]): string | undefined {
  const union = scopesOf(scopes.filter((scope) => scope !== undefined).join(" "));
  return union.length === 0 ? undefined : union.join(" ");
}

/** Whether every scope of `wanted` is in `granted`. */
export function coversScope(granted: string | undefined, wanted: string | undefined): boolean {
  const have = new Set(scopesOf(granted));
  return scopesOf(wanted).every((scope) => have.has(scope));
}
