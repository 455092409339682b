// Addresses that a server wants opened in the person's browser.
// biome-ignore-all format: a table has a line for each entry
import type { HostileCase } from "../support/case.ts";

export interface UrlCase extends HostileCase {
  /** What a server names as the page to sign in on, or to type a code into. */
  readonly url: string;
  /** What is opened in its place; absent where nothing is. */
  readonly opens?: string;
}

const NOTHING = "nothing is opened";
const INERT = "it is opened with nothing in it that a shell acts on";

const refused: readonly UrlCase[] = [
  // Schemes.
  { id: "open-javascript", does: "names a script", must: NOTHING, url: "javascript:alert(1)", proves: "URL-1, URL-2" },
  { id: "open-javascript-capitals", does: "names a script in capitals", must: NOTHING, url: "JaVaScRiPt:alert(1)", proves: "URL-2" },
  { id: "open-javascript-tab", does: "hides a script's scheme with a tab that URL parsers drop", must: NOTHING, url: "java\tscript:alert(1)", proves: "URL-2" },
  { id: "open-data", does: "names a page in a data: URL", must: NOTHING, url: "data:text/html,<script>alert(1)</script>", proves: "URL-2" },
  { id: "open-file", does: "names a file", must: NOTHING, url: "file:///etc/passwd", proves: "URL-2" },
  { id: "open-file-share", does: "names a file on a share, which would be run", must: NOTHING, url: "file://evil.example.com/share/run.exe", proves: "URL-2" },
  { id: "open-vbscript", does: "names a script of another kind", must: NOTHING, url: "vbscript:msgbox(1)", proves: "URL-2" },
  { id: "open-handler", does: "names the scheme of a program that runs commands", must: NOTHING, url: "ms-msdt:/id%20PCWDiagnostic", proves: "URL-2" },
  { id: "open-blob", does: "names a blob: of an origin", must: NOTHING, url: "blob:https://as.example.com/1", proves: "URL-2" },
  { id: "open-view-source", does: "wraps a page in view-source:", must: NOTHING, url: "view-source:https://as.example.com/", proves: "URL-2" },
  { id: "open-ftp", does: "names a page on an FTP server", must: NOTHING, url: "ftp://as.example.com/", proves: "URL-2" },
  // Plain http.
  { id: "open-http", does: "names a page in plain http", must: NOTHING, url: "http://as.example.com/authorize", proves: "URL-1" },
  { id: "open-http-like-localhost", does: "names a host that begins like localhost", must: NOTHING, url: "http://localhost.evil.example.com/", proves: "URL-1, TLS-2" },
  { id: "open-http-like-loopback", does: "names a host that begins like 127.0.0.1", must: NOTHING, url: "http://127.0.0.1.evil.example.com/", proves: "URL-1, TLS-2" },
  { id: "open-http-this-network", does: "names http on 0.0.0.0", must: NOTHING, url: "http://0.0.0.0/", proves: "URL-1, TLS-2" },
  // Who it is.
  { id: "open-user-name", does: "shows another host as a user name", must: NOTHING, url: "https://accounts.example.com@evil.example.com/", proves: "URL-4" },
  { id: "open-password", does: "names a user and a password", must: NOTHING, url: "https://user:password@as.example.com/", proves: "URL-4" },
  { id: "open-http-user-name", does: "shows localhost as a user name", must: NOTHING, url: "http://localhost@evil.example.com/", proves: "URL-4" },
  // Hosts that a parser lets through.
  { id: "open-host-substitution", does: "has a command in its host name", must: NOTHING, url: "https://a$(calc).example.com/", proves: "URL-3" },
  { id: "open-host-ampersand", does: "has an ampersand in its host name", must: NOTHING, url: "https://a&calc.example.com/", proves: "URL-3" },
  { id: "open-host-backtick", does: "has backticks in its host name", must: NOTHING, url: "https://a`calc`.example.com/", proves: "URL-3" },
  // Too much, or no URL at all.
  { id: "open-long", does: "is longer than a command line of Windows", must: NOTHING, url: `https://as.example.com/${"a".repeat(9000)}`, proves: "URL-4" },
  { id: "open-option", does: "is an option of a program", must: NOTHING, url: "--version", proves: "URL-3" },
  { id: "open-relative", does: "names no scheme", must: NOTHING, url: "//evil.example.com/", proves: "URL-1" },
];

const rewritten: readonly UrlCase[] = [
  { id: "open-substitution", does: "has a command in its path", must: INERT, url: "https://as.example.com/$(calc)", opens: "https://as.example.com/%24%28calc%29", proves: "URL-3" },
  { id: "open-quotes", does: "has quotes around a command", must: INERT, url: "https://as.example.com/';calc;'", opens: "https://as.example.com/%27%3Bcalc%3B%27", proves: "URL-3" },
  { id: "open-exclamation", does: "names a variable of cmd.exe between exclamation marks", must: INERT, url: "https://as.example.com/!COMSPEC!", opens: "https://as.example.com/%21COMSPEC%21", proves: "URL-3" },
  { id: "open-pipe", does: "has a pipe and a caret in its path", must: INERT, url: "https://as.example.com/a|calc^", opens: "https://as.example.com/a%7Ccalc%5E", proves: "URL-3" },
  { id: "open-variable", does: "names a variable of cmd.exe", must: INERT, url: "https://as.example.com/%COMSPEC%", opens: "https://as.example.com/%25COMSPEC%25", proves: "URL-3" },
  { id: "open-typographic-quotes", does: "has the quotes that PowerShell takes for quotes, too", must: INERT, url: "https://as.example.com/‘;calc;’", opens: "https://as.example.com/%E2%80%98%3Bcalc%3B%E2%80%99", proves: "URL-3" },
];

/** Characters that URL parsers drop: whoever sends them shows one address and means another. */
const hidden: readonly UrlCase[] = [
  { id: "open-line-break", does: "has a line break in it", must: NOTHING, url: "https://as.example.com/\ncalc", proves: "URL-4" },
  { id: "open-nul", does: "has a NUL in it", must: NOTHING, url: "https://as.example.com/\u0000", proves: "URL-4" },
  { id: "open-override", does: "turns the direction in which its end is read", must: NOTHING, url: "https://as.example.com/\u202Egpj.exe", proves: "URL-4" },
  { id: "open-space", does: "has a space in it", must: NOTHING, url: "https://as.example.com/a --version", proves: "URL-4" },
];

/** Through a server's metadata these come out of a URL parser, which leaves nothing to hide. */
export const hiddenUrls: readonly UrlCase[] = hidden;
export const urlCases: readonly UrlCase[] = [...refused, ...rewritten];
