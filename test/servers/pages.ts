// The pages a person sees while signing in to a fixture. The demo shows them, so they are tidy: labels,
// keyboard order, both colour schemes, nothing loaded from elsewhere and no script.
import { htmlEscape } from "./http.ts";

export interface Page {
  title: string;
  /** Trusted HTML. */
  body: string;
}

export function renderPage(page: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${htmlEscape(page.title)}</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --page: #f3f4f6; --card: #fff; --line: #8c959f; --accent: #0b57d0; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #a3adb8; --page: #0d1117; --card: #161b22; --line: #6e7681; --accent: #7ab7ff; --on-accent: #06213f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 25rem; padding: 1.75rem; background: var(--card); border-radius: .75rem; box-shadow: 0 1px 4px rgb(0 0 0 / .2); }
h1 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.25; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
ul { margin: 0 0 1rem; padding: .5rem .75rem; list-style: none; background: var(--page); border-radius: .4rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .9rem; }
form + p { margin: 1rem 0 0; }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input:not([type=hidden]) { width: 100%; margin-bottom: 1rem; padding: .6rem .7rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; }
button { flex: 1 1 8rem; padding: .65rem 1rem; font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: .4rem; cursor: pointer; }
button.quiet { color: var(--ink); background: transparent; border-color: var(--line); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
code { font: 1.5rem/1.4 ui-monospace, monospace; letter-spacing: .1em; }
</style>
</head>
<body><main>${page.body}</main></body>
</html>`;
}

export function loginPage(options: { clientName: string; action?: string; hidden?: Record<string, string> }): string {
  return renderPage({
    title: "Sign in",
    body: `<h1>Sign in</h1>
<p>to continue to <strong>${htmlEscape(options.clientName)}</strong></p>
<form method="post"${actionOf(options.action)}>
${hiddenFields(options.hidden)}
<label for="login">User name</label>
<input id="login" name="login" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<div class="actions"><button type="submit">Sign in</button></div>
</form>
<p class="soft">A test server: any name and any password will do.</p>`,
  });
}

export interface ConsentPageOptions {
  clientName: string;
  scopes: readonly string[];
  resources?: readonly string[];
  action?: string;
  hidden?: Record<string, string>;
}

export function consentPage(options: ConsentPageOptions): string {
  const list = (items: readonly string[]): string =>
    `<ul>${items.map((item) => `<li>${htmlEscape(item)}</li>`).join("")}</ul>`;
  return renderPage({
    title: "Allow access",
    body: `<h1>Allow access?</h1>
<p><strong>${htmlEscape(options.clientName)}</strong> wants to act for you${options.resources?.length ? " at:" : "."}</p>
${options.resources?.length ? list(options.resources) : ""}
${options.scopes.length > 0 ? `<p>It asks for these scopes:</p>${list(options.scopes)}` : ""}
<form method="post"${actionOf(options.action)}>
${hiddenFields(options.hidden)}
<div class="actions">
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny" class="quiet">Deny</button>
</div>
</form>`,
  });
}

export function userCodePage(form: string, message: string): string {
  return renderPage({
    title: "Connect a device",
    body: `<h1>Connect a device</h1><p role="status">${htmlEscape(message)}</p>${form}
<div class="actions"><button type="submit" form="op.deviceInputForm">Continue</button></div>`,
  });
}

export function userCodeConfirmPage(form: string, clientName: string, userCode: string): string {
  return renderPage({
    title: "Confirm the device",
    body: `<h1>Confirm the device</h1>
<p><strong>${htmlEscape(clientName)}</strong> shows this code:</p><p><code>${htmlEscape(userCode)}</code></p>
<p class="soft">Go on only if you started this yourself and the codes agree.</p>
${form}
<div class="actions">
<button type="submit" form="op.deviceConfirmForm">Continue</button>
<button type="submit" form="op.deviceConfirmForm" name="abort" value="yes" class="quiet">Cancel</button>
</div>`,
  });
}

export function messagePage(title: string, message: string): string {
  return renderPage({ title, body: `<h1>${htmlEscape(title)}</h1><p>${htmlEscape(message)}</p>` });
}

function actionOf(action: string | undefined): string {
  return action === undefined ? "" : ` action="${htmlEscape(action)}"`;
}

function hiddenFields(fields: Record<string, string> = {}): string {
  return Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${htmlEscape(name)}" value="${htmlEscape(value)}">`)
    .join("\n");
}
