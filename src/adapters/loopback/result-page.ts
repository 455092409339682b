import { sha256 } from "../../core/entropy.ts";
import { inertText } from "../../core/text.ts";
import type { RedirectPage } from "../../ports/redirect-receiver.ts";
import { type IconName, PAGE_STYLE, svgIcon, TAB_ICON } from "./page-look.ts";

/** What a browser reads when its request is not, or not yet, one with an outcome. */
export type Notice = "received" | "used" | "unknown";

/** What one page says. The text is ours; names in it have been made inert and escaped. */
interface PageText {
  readonly icon: IconName;
  readonly title: string;
  /** HTML. */
  readonly message: string;
  /** HTML. */
  readonly next: string;
}

const LONGEST_CLIENT_NAME = 80;
/** A whole DNS name: cut off, it could pass for another server's. */
const LONGEST_SERVER_NAME = 260;
/**
 * Takes the code out of the address bar and the history. It is the only script, and the policy lets no other run. A
 * redirect to a clean address would do without, but it could fail: the listener is about to stop.
 */
const SCRIPT = 'history.replaceState(null,"",location.pathname)';

/** Text for HTML content and attributes. */
function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}

/** A name that somebody else chose: one short line, isolated so that right-to-left text does not turn ours around. */
function nameHtml(name: string, maxLength: number, fallback: string): string {
  const shown = inertText(name, maxLength);
  return shown === "" ? fallback : `<bdi class="name">${escapeHtml(shown)}</bdi>`;
}

/** A source expression of a content security policy for exactly this inline text (CSP level 3 section 2.3.1). */
function hashSource(text: string): string {
  return `'sha256-${sha256(text).replaceAll("-", "+").replaceAll("_", "/")}='`;
}

/**
 * The policy of every page: our own style and script by their hashes, the icon as a data URL, and nothing else at all.
 */
export function contentSecurityPolicy(): string {
  return [
    "default-src 'none'",
    `script-src ${hashSource(SCRIPT)}`,
    `style-src ${hashSource(PAGE_STYLE)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function render(page: PageText): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<script>${SCRIPT}</script>
<title>${escapeHtml(page.title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" href="${TAB_ICON[page.icon]}">
<style>${PAGE_STYLE}</style>
</head>
<body>
<main class="${page.icon}">
${svgIcon(page.icon)}
<h1 tabindex="-1" autofocus>${escapeHtml(page.title)}</h1>
<p>${page.message}</p>
<p class="next">${page.next}</p>
</main>
</body>
</html>
`;
}

/** The page at the end of a sign-in. Nothing of the response is in it; names are escaped and made inert. */
export function resultPage(page: RedirectPage): string {
  const client = nameHtml(page.clientName, LONGEST_CLIENT_NAME, "the application");
  const server = nameHtml(page.serverName, LONGEST_SERVER_NAME, "the server");
  const texts: Record<RedirectPage["outcome"], PageText> = {
    "signed-in": {
      icon: "success",
      title: "You are signed in",
      message: `${client} can now use ${server} for you.`,
      next: `You can close this tab and return to ${client}.`,
    },
    denied: {
      icon: "denied",
      title: "Access was not granted",
      message: `The request was declined, so ${client} cannot use ${server}.`,
      next: `You can close this tab. To try again, sign in from ${client} once more.`,
    },
    failed: {
      icon: "failed",
      title: "The sign-in did not work",
      message: `${client} could not be signed in to ${server}.`,
      next: `You can close this tab. ${client} shows what went wrong.`,
    },
  };
  return render(texts[page.outcome]);
}

const NOTICES: Readonly<Record<Notice, PageText>> = {
  received: {
    icon: "notice",
    title: "Almost there",
    message: "Your answer has arrived, and the application is dealing with it.",
    next: "You can close this tab. The application shows how the sign&#8209;in ends.",
  },
  used: {
    icon: "notice",
    title: "This link has been used",
    message: "A sign&#8209;in link works once, and this one has done its work.",
    next: "You can close this tab. If you are not signed in, start again in the application.",
  },
  unknown: {
    icon: "notice",
    title: "This link is not valid",
    message: "It belongs to no sign&#8209;in that is going on. It may have expired.",
    next: "You can close this tab. If you are not signed in, start again in the application.",
  },
};

/** A page for a browser that no outcome can be shown to. It names nobody: the request may come from anywhere. */
export function noticePage(notice: Notice): string {
  return render(NOTICES[notice]);
}
