import { FORGED_CODE } from "../verdict.mjs";

export interface BrowserOptions {
  /** Changes the address before it is opened. */
  readonly alter?: (url: URL) => void;
  /** Whether another page of this browser forges a response first. Default true. */
  readonly hostile?: boolean;
}

/** What a page of an attacker can send to a listener on this machine: a code, and a state that it had to guess. */
async function forgeResponse(redirectUri: string, iss: string | null): Promise<void> {
  const forged = new URL(redirectUri);
  forged.searchParams.set("code", FORGED_CODE);
  forged.searchParams.set("state", "guessed");
  if (iss !== null) forged.searchParams.set("iss", iss);
  await fetch(forged);
}

/** The address that an authorization endpoint redirects to. The suite's gives consent by itself. */
async function consent(authorizationUrl: URL): Promise<URL> {
  const { status, headers } = await fetch(authorizationUrl, { redirect: "manual" });
  const location = headers.get("location");
  if (location === null) throw new Error(`the authorization endpoint answered ${status} and does not redirect`);
  return new URL(location);
}

/** Plays the browser of a person who consents to everything. */
export async function browse(authorizationUrl: URL, { alter, hostile = true }: BrowserOptions = {}): Promise<void> {
  const url = new URL(authorizationUrl);
  alter?.(url);
  const response = await consent(url);
  if (hostile) await forgeResponse(url.searchParams.get("redirect_uri") ?? "", response.searchParams.get("iss"));
  await fetch(response);
}
