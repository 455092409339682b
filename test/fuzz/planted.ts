// Secrets that are put into inputs, to be looked for in what comes out.
import { inertText } from "../../src/core/text.ts";

/** The members of documents that are meant for secrets. */
const SECRET_MEMBERS = new Set([
  ...["access_token", "refresh_token", "id_token", "device_code", "client_secret", "registration_access_token"],
  ...["accessToken", "refreshToken", "dpopKey", "clientSecret", "registrationAccessToken"],
]);

/** Whether a text has a planted secret in it, as a reader would see it. */
export function showsPlanted(text: string): boolean {
  return inertText(text, text.length).includes("planted");
}

/**
 * Whether all that a document has of planted secrets stands where secrets belong. Where its author repeats one in a text
 * that is meant to be shown, nobody can know that it is one. A text that is no JSON has nothing that is meant to be shown.
 */
export function keepsToItsMembers(json: string): boolean {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch {
    return true;
  }
  const queue: [string, unknown][] = [["", document]];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [name, value] = next;
    if (showsPlanted(name)) return false;
    if (typeof value === "string" && showsPlanted(value) && !SECRET_MEMBERS.has(name)) return false;
    if (typeof value === "object" && value !== null) queue.push(...Object.entries(value));
  }
  return true;
}
