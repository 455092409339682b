import { openInBrowser, whyNoBrowser } from "../adapters/browser.ts";
import { terminalPrompt } from "../adapters/terminal.ts";
import { terminalDevicePrompt } from "../adapters/terminal-device.ts";
import { inertText } from "../core/text.ts";
import type { TokenManagerOptions } from "../index.ts";
import type { TokenManager } from "../token-manager.ts";
import type { Output, Progress } from "./output.ts";

/** After this long it is said what is waited for. */
const SILENCE_MS = 5000;

/**
 * What a person sees of a sign-in: where it goes, before anything is opened; then the browser's address, a device code, or
 * the question for a pasted address; and that the program waits.
 */
export class SignInScreen {
  readonly #output: Output;
  #progress: Progress | undefined;
  #silence: NodeJS.Timeout | undefined;
  #server = "";
  #authorizationServer = "";

  constructor(output: Output) {
    this.#output = output;
  }

  /** The ways to a person, for a token manager. */
  get options(): Pick<TokenManagerOptions, "openBrowser" | "prompt" | "devicePrompt"> {
    return {
      openBrowser: (url) => this.#openBrowser(url),
      prompt: async (prompt, problem) => {
        this.close();
        const pasted = await terminalPrompt()(prompt, problem);
        if (!prompt.signal.aborted) await this.#wait(pasted === undefined ? "Waiting for the sign-in" : "Signing in");
        return pasted;
      },
      devicePrompt: async (signIn) => {
        this.close();
        await terminalDevicePrompt()(signIn);
        if (!signIn.signal.aborted) await this.#wait("Waiting for the code to be entered");
      },
    };
  }

  /** Learns from a token manager's events what it shows later. */
  watch(tokens: TokenManager): void {
    tokens.on("authorization_server_selected", ({ server = "", authorizationServer }) => {
      this.#server = server;
      this.#authorizationServer = authorizationServer;
      // One sign-in to a server is under way at a time.
      const who = inertText(authorizationServer);
      this.#afterSilence(`Waiting for ${who}, or for another sign-in to this server to end`);
    });
    tokens.on("issuer_changed", ({ issuer = "", formerIssuer }) => {
      const [now, before] = [inertText(issuer), inertText(formerIssuer)];
      this.#output.note(`The server now signs in at ${now}; at the last sign-in it was ${before}.`, "yellow");
    });
  }

  /** Says that a server is being asked, until there is something else to say. */
  async begin(server: string): Promise<void> {
    await this.#wait(`Asking ${server} how to sign in`);
    this.#afterSilence("The server has not answered yet");
  }

  /** Takes away what is shown only while it lasts. */
  close(): void {
    clearTimeout(this.#silence);
    this.#progress?.stop();
    this.#progress = undefined;
  }

  async #openBrowser(url: URL): Promise<void> {
    const obstacle = whyNoBrowser();
    if (obstacle === undefined) await this.#showBrowser(url);
    try {
      await openInBrowser(url);
    } catch (error) {
      this.close();
      this.#output.note(`No browser could be opened: ${obstacle ?? "the program that opens addresses failed"}.`);
      throw error;
    }
  }

  async #showBrowser(url: URL): Promise<void> {
    const lines = [
      "",
      `  Sign in to   ${inertText(this.#server)}`,
      `  through      ${inertText(this.#authorizationServer)}`,
      "",
      "  Your browser opens. If it does not, open this address in it:",
      "",
      // Not indented, so that a selection over several lines holds nothing but the address.
      url.href,
    ];
    this.#output.announce(`${lines.join("\n")}\n\n`);
    await this.#wait("Waiting for you to sign in there");
  }

  #afterSilence(text: string): void {
    clearTimeout(this.#silence);
    const progress = this.#progress;
    if (progress === undefined) return;
    this.#silence = setTimeout(() => progress.update(text), SILENCE_MS);
  }

  async #wait(text: string): Promise<void> {
    this.close();
    this.#progress = await this.#output.progress(text);
  }
}
