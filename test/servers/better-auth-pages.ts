// better-auth has no pages of its own; these play its front end. They talk to it as a browser's script
// would: JSON with the session cookie, and the signed query it put into the page's address.
import { consentPage, loginPage, messagePage, renderPage } from "./pages.ts";

export interface BetterAuthApi {
  /** Origin plus better-auth's base path. */
  baseUrl: string;
  handler(request: Request): Promise<Response>;
}

/** Resolves to `undefined` when the address is none of a page's. */
export async function handlePage(api: BetterAuthApi, request: Request): Promise<Response | undefined> {
  const url = new URL(request.url);
  const form = request.method === "POST" ? new URLSearchParams(await request.clone().text()) : undefined;
  switch (url.pathname) {
    case "/login":
      return form ? signIn(api, request, form, url.search.slice(1)) : html(loginPage({ clientName: clientOf(url) }));
    case "/consent":
      return form
        ? decide(api, request, form, url.search.slice(1))
        : html(consentPage({ clientName: clientOf(url), scopes: scopesOf(url) }));
    case "/device":
      return device(api, request, form ?? url.searchParams);
    default:
      return undefined;
  }
}

async function signIn(api: BetterAuthApi, request: Request, form: URLSearchParams, query: string): Promise<Response> {
  const name = form.get("login") || "someone";
  const person = { name, email: `${name}@people.example`, password: form.get("password") || "secret" };
  // A first sign-in makes the account. It carries no query: the sign-in that follows takes up the request.
  const registered = await call(api, request, "/sign-up/email", person);
  if (!registered.ok && registered.status !== 422)
    return html(messagePage("Something went wrong", await registered.text()), 500);
  const signedIn = await call(api, request, "/sign-in/email", {
    ...person,
    ...(query.includes("sig=") ? { oauth_query: query } : {}),
  });
  const back = new URLSearchParams(query).get("back");
  return follow(signedIn, back ?? undefined);
}

async function decide(api: BetterAuthApi, request: Request, form: URLSearchParams, query: string): Promise<Response> {
  return follow(
    await call(api, request, "/oauth2/consent", { accept: form.get("decision") === "allow", oauth_query: query }),
  );
}

// RFC 8628 section 3.3: enter the code, sign in where needed, confirm.
async function device(api: BetterAuthApi, request: Request, values: URLSearchParams): Promise<Response> {
  const code = values.get("user_code");
  if (!code) return html(codePage());
  const session = (await (await call(api, request, "/get-session")).json()) as unknown;
  if (!session)
    return redirect(`/login?${new URLSearchParams({ back: `/device?${new URLSearchParams({ user_code: code })}` })}`);
  const claimed = await call(api, request, `/device?${new URLSearchParams({ user_code: code })}`);
  if (!claimed.ok) return html(messagePage("That code is not right", "Look at the device and try again."), 400);
  const decision = values.get("decision");
  if (decision === null) {
    const { client_id, scope } = (await claimed.json()) as { client_id?: string; scope?: string };
    return html(
      consentPage({
        clientName: client_id ?? "a device",
        scopes: (scope ?? "").split(" ").filter(Boolean),
        hidden: { user_code: code },
      }),
    );
  }
  const outcome = await call(api, request, decision === "allow" ? "/device/approve" : "/device/deny", {
    userCode: code,
  });
  return outcome.ok
    ? html(messagePage("Signed in", "You can close this page."))
    : html(messagePage("Something went wrong", await outcome.text()), 400);
}

function codePage(): string {
  return renderPage({
    title: "Connect a device",
    body: `<h1>Connect a device</h1><form method="get" action="/device"><label for="user_code">Code</label>
<input id="user_code" name="user_code" autocomplete="off" autofocus><div class="actions"><button type="submit">Continue</button></div></form>`,
  });
}

function call(api: BetterAuthApi, request: Request, path: string, body?: unknown): Promise<Response> {
  const headers = new Headers({ accept: "application/json", origin: new URL(api.baseUrl).origin });
  const cookie = request.headers.get("cookie");
  if (cookie) headers.set("cookie", cookie);
  if (body === undefined) return api.handler(new Request(api.baseUrl + path, { headers }));
  headers.set("content-type", "application/json");
  return api.handler(new Request(api.baseUrl + path, { method: "POST", headers, body: JSON.stringify(body) }));
}

// better-auth answers a script with the address to go to; a form needs a redirect that keeps the cookies.
async function follow(answer: Response, fallback?: string): Promise<Response> {
  const text = await answer.text();
  const body = (text.startsWith("{") ? JSON.parse(text) : {}) as { url?: string; redirect_uri?: string };
  const target = answer.headers.get("location") ?? fallback ?? body.url ?? body.redirect_uri;
  if (target === undefined) return html(messagePage("Something went wrong", text), 400);
  return redirect(target, answer.headers.getSetCookie());
}

function redirect(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ location });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}

function html(body: string, status = 200): Response {
  return new Response(body, { status, headers: { "content-type": "text/html; charset=utf-8" } });
}

function clientOf(url: URL): string {
  return url.searchParams.get("client_id") ?? "a device";
}

function scopesOf(url: URL): string[] {
  return (url.searchParams.get("scope") ?? "").split(" ").filter(Boolean);
}
