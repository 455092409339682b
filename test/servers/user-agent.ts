// Plays the person and the browser of a sign-in: follows redirects by hand, keeps cookies, fills in the
// forms it meets and ends on the client's loopback page.
import { type IncomingHttpHeaders, request as sendRequest } from "node:http";
import { CookieJar } from "./cookie-jar.ts";
import { type Form, type FormButton, type FormField, formSubmission, parseForms } from "./html-forms.ts";
import { readBody } from "./http.ts";

/** A sign-in takes some ten steps; more means that a form is shown again and again. */
const STEP_LIMIT = 40;

export interface UserAgentRequest {
  method: string;
  url: string;
  body?: string;
}

export interface UserAgentOptions {
  /** The user name typed into login forms. Default `alice`. */
  login?: string;
  /** Presses the deny button of a consent page. Default false. */
  deny?: boolean;
  /** Sees every request before it is sent. */
  onRequest?: (request: UserAgentRequest) => void;
}

export interface VisitedPage {
  /** 0 when nothing listens at the last address; a redirect to another scheme than http keeps its own status. */
  status: number;
  body: string;
  /** The last address, as the address bar would show it. */
  url: string;
}

export class UserAgent {
  readonly #options: UserAgentOptions;
  readonly #cookies = new CookieJar();

  constructor(options: UserAgentOptions = {}) {
    this.#options = options;
  }

  /** Opens an address and does whatever the pages ask for. Fits as an `openBrowser` function. */
  open(url: URL | string): Promise<VisitedPage> {
    return this.#browse(String(url), { login: this.#options.login ?? "alice" });
  }

  /** Types a device's user code into its verification page and signs in (RFC 8628 section 3.3). */
  enterUserCode(verificationUri: URL | string, code: string): Promise<VisitedPage> {
    return this.#browse(String(verificationUri), { login: this.#options.login ?? "alice", userCode: code });
  }

  async #browse(start: string, person: { login: string; userCode?: string }): Promise<VisitedPage> {
    let request: UserAgentRequest = { method: "GET", url: start };
    for (let step = 0; step < STEP_LIMIT; step += 1) {
      const page = await this.#load(request);
      const next = page.next ?? this.#answer(page, person);
      if (!next) return { status: page.status, body: page.body, url: page.url };
      if (!next.url.startsWith("http:")) return { status: page.status, body: page.body, url: next.url };
      request = next;
    }
    throw new Error(`the sign-in did not end after ${STEP_LIMIT} steps; last at ${request.url}`);
  }

  async #load(request: UserAgentRequest): Promise<VisitedPage & { next?: UserAgentRequest }> {
    this.#options.onRequest?.(request);
    const cookies = this.#cookies.header(request.url);
    let response: PlainResponse;
    try {
      response = await navigate(request, cookies);
    } catch {
      // Nothing listens there: the case of a person who copies the address out of the address bar.
      return { status: 0, body: "", url: request.url };
    }
    this.#cookies.store(request.url, response.headers["set-cookie"] ?? []);
    const { status, body } = response;
    const { location } = response.headers;
    const visited = { status, body, url: request.url };
    if (status < 300 || status >= 400 || location === undefined) return visited;
    const keepsMethod = status === 307 || status === 308;
    const target = URL.canParse(location, request.url) ? new URL(location, request.url).href : location;
    return { ...visited, next: keepsMethod ? { ...request, url: target } : { method: "GET", url: target } };
  }

  #answer(page: VisitedPage, person: { login: string; userCode?: string }): UserAgentRequest | undefined {
    if (page.status === 0) return undefined;
    const form = parseForms(page.body)[0];
    if (!form) return undefined;
    const asksForCode = form.fields.some(isUserCode);
    // The page comes back when the code was wrong or all is done: typing the same again leads nowhere.
    if (asksForCode && person.userCode === undefined) return undefined;
    const values: Record<string, string> = {};
    for (const field of form.fields) {
      if (field.type === "password") values[field.name] = "secret";
      else if (isUserCode(field)) values[field.name] = person.userCode ?? field.value;
      else if (isLogin(field)) values[field.name] = person.login;
    }
    if (asksForCode) delete person.userCode;
    return formSubmission(form, values, pressedButton(form, this.#options.deny === true), page.url);
  }
}

function isUserCode(field: FormField): boolean {
  return field.type !== "hidden" && /user_?code/i.test(field.name);
}

function isLogin(field: FormField): boolean {
  return field.type !== "hidden" && /^(login|user|user_?name|name|email)$/i.test(field.name);
}

function pressedButton(form: Form, deny: boolean): FormButton | undefined {
  const refuses = (button: FormButton): boolean =>
    /deny|cancel|abort|reject|decline/i.test(`${button.name} ${button.value} ${button.text}`);
  return deny ? (form.buttons.find(refuses) ?? form.buttons[0]) : form.buttons.find((button) => !refuses(button));
}

interface PlainResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

// Not `fetch`: it says `sec-fetch-mode: cors`, and a server may answer a script otherwise than a browser's navigation.
function navigate({ method, url, body }: UserAgentRequest, cookie: string): Promise<PlainResponse> {
  const headers: Record<string, string> = {
    accept: "text/html,application/xhtml+xml,*/*;q=0.8",
    "user-agent": "Mozilla/5.0 (fixture user agent)",
    "sec-fetch-mode": "navigate",
    ...(cookie ? { cookie } : {}),
    ...(body === undefined
      ? {}
      : {
          "content-type": "application/x-www-form-urlencoded",
          "content-length": String(Buffer.byteLength(body)),
          origin: new URL(url).origin,
        }),
  };
  return new Promise((resolve, reject) => {
    // A connection of its own, so that no fixture waits at close() for one kept alive.
    const outgoing = sendRequest(url, { method, headers, agent: false }, (response) => {
      readBody(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        reject,
      );
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
