// Cookies by origin (stricter than a browser, which ignores the port: two fixtures on 127.0.0.1 must not
// overwrite each other's session) with Path, Max-Age and Expires.

interface Cookie {
  name: string;
  value: string;
  path: string;
  expiresAt: number;
}

export class CookieJar {
  readonly #cookies = new Map<string, Cookie>();

  store(url: string, headers: readonly string[]): void {
    const { origin, pathname } = new URL(url);
    for (const header of headers) {
      const cookie = parseCookie(header, pathname);
      if (!cookie) continue;
      const key = `${origin} ${cookie.path} ${cookie.name}`;
      if (cookie.expiresAt <= Date.now()) this.#cookies.delete(key);
      else this.#cookies.set(key, cookie);
    }
  }

  header(url: string): string {
    const { origin, pathname } = new URL(url);
    const matching: Cookie[] = [];
    for (const [key, cookie] of this.#cookies) {
      if (key.startsWith(`${origin} `) && cookie.expiresAt > Date.now() && isUnder(pathname, cookie.path))
        matching.push(cookie);
    }
    // RFC 6265 section 5.4: longer paths first.
    matching.sort((a, b) => b.path.length - a.path.length);
    return matching.map((cookie) => `${cookie.name}=${cookie.value}`).join("; ");
  }
}

function parseCookie(header: string, requestPath: string): Cookie | undefined {
  const [pair = "", ...attributes] = header.split(";");
  const equals = pair.indexOf("=");
  if (equals < 1) return undefined;
  const cookie: Cookie = {
    name: pair.slice(0, equals).trim(),
    value: pair.slice(equals + 1).trim(),
    path: requestPath.slice(0, requestPath.lastIndexOf("/")) || "/",
    expiresAt: Number.POSITIVE_INFINITY,
  };
  let maxAge: number | undefined;
  for (const attribute of attributes) {
    const [name = "", ...rest] = attribute.split("=");
    const value = rest.join("=").trim();
    if (/^\s*path\s*$/i.test(name) && value.startsWith("/")) cookie.path = value;
    if (/^\s*expires\s*$/i.test(name)) cookie.expiresAt = Date.parse(value);
    if (/^\s*max-age\s*$/i.test(name)) maxAge = Number(value);
  }
  // RFC 6265 section 5.3: Max-Age wins over Expires.
  if (maxAge !== undefined) cookie.expiresAt = Date.now() + maxAge * 1000;
  return cookie;
}

function isUnder(pathname: string, path: string): boolean {
  return pathname === path || (pathname.startsWith(path) && (path.endsWith("/") || pathname[path.length] === "/"));
}
