import type { ServerResponse } from "node:http";
import type { Clock } from "../../core/clock.ts";
import { contentSecurityPolicy } from "./result-page.ts";

/** How long a browser may take to accept a few kilobytes over loopback, in milliseconds. */
const FLUSH_WITHIN_MS = 2000;

const HEADERS: Readonly<Record<string, string>> = {
  // The address of the page has the code in it until the page replaces it.
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  // An open connection would keep the listener, and with it the process.
  Connection: "close",
};

function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  clock: Clock,
): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(resolve, FLUSH_WITHIN_MS);
    const settle = (): void => {
      cancel();
      resolve();
    };
    response.once("finish", settle);
    response.once("close", settle);
    if (response.destroyed || response.writableFinished) return settle();
    // The first answer stands. Who gives another one waits until the first is out.
    if (response.writableEnded) return;
    response.writeHead(status, {
      "Content-Security-Policy": contentSecurityPolicy(),
      ...HEADERS,
      "Content-Type": `${contentType}; charset=utf-8`,
      "Content-Length": Buffer.byteLength(body),
      ...(status === 405 && { Allow: "GET, POST" }),
    });
    response.end(body);
  });
}

/**
 * Sends an HTML page, unless the response has been answered. Resolves when the operating system has all of the answer,
 * or the browser is gone or too slow; never rejects.
 */
export function sendPage(response: ServerResponse, status: number, html: string, clock: Clock): Promise<void> {
  return send(response, status, "text/html", html, clock);
}

/** Sends one line of plain text, for requests that no person made. Resolves like {@link sendPage}. */
export function sendText(response: ServerResponse, status: number, text: string, clock: Clock): Promise<void> {
  return send(response, status, "text/plain", `${text}\n`, clock);
}
