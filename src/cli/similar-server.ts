import type { TokenManager } from "../token-manager.ts";

/** The same address with a slash at its end, or without the one that it has. A bare origin has but one form. */
function withOtherSlash(server: string): string {
  const { origin, pathname, search } = new URL(server);
  return `${origin}${pathname.endsWith("/") ? pathname.slice(0, -1) : `${pathname}/`}${search}`;
}

/** The server that somebody is signed in to and that may have been meant: sessions of `/mcp` are not those of `/mcp/`. */
export async function similarServer(
  tokens: TokenManager,
  { server, account }: { readonly server: string; readonly account: string },
): Promise<string | undefined> {
  if (new URL(server).pathname === "/") return undefined;
  const other = withOtherSlash(server);
  const [session] = await tokens.status(other, { account });
  return session?.state === "signed_in" ? other : undefined;
}

/** The question whether that one was meant. */
export function didYouMean(server: string): string {
  return `You are signed in to ${server}; did you mean that?`;
}
