import type { McpOAuthError } from "../../core/errors.ts";

/** Advice that an error ends with. Here each finding says itself what to do. */
const ADVICE = /^(?:Report|Try again|Check|Ask|If|Call|Change|Use|Register)\b/;
const SENTENCE_END = /(?<=[.)"]) (?=[A-Z])/;

/** What an error says happened, without its advice. */
export function whatHappened({ message }: McpOAuthError): string {
  const sentences = message.split(SENTENCE_END).filter((sentence) => !ADVICE.test(sentence));
  return sentences.join(" ").replace(/; report it to [^.;]*\.$/, ".");
}

/** Whether nobody answered, so that asking at the next place of the same server is a waste of time. */
export function isSilence({ code }: Pick<McpOAuthError, "code">): boolean {
  return code === "network_failed" || code === "timeout";
}

/** What the library does: it stops, unless a host knows better. */
export function stopsWith({ code, message }: McpOAuthError): string {
  const relaxation = message.split(SENTENCE_END).find((sentence) => sentence.startsWith("If "));
  // What the operator should do stands with the finding itself.
  const accepted = relaxation?.replace(/; otherwise report it .*$/, "").replace(/\.$/, "");
  return accepted === undefined ? `stops with the error ${code}` : `stops with the error ${code}. ${accepted}`;
}
