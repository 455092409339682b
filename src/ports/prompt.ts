/** What a person needs in order to finish a sign-in by hand. */
export interface AuthorizationPrompt {
  /** The URL to open in any browser. */
  readonly authorizationUrl: string;
  /** The MCP server that the sign-in is for. */
  readonly server: string;
  /** The authorization server's host, to be shown before anything is opened. */
  readonly authorizationServer: string;
  /**
   * Aborts when the sign-in has ended some other way, so that the prompt can be taken away.
   */
  readonly signal: AbortSignal;
}

/**
 * Shows the authorization URL to the user and may return what the user pasted back: the address of the page that the
 * browser ended on (it may be an error page: its address has the code). Return nothing where there is no way to paste.
 *
 * A pasted text without a usable response is refused, and the prompt is called again with the reason.
 */
export type PromptForRedirect = (
  prompt: AuthorizationPrompt,
  problem?: string,
) => string | undefined | void | Promise<string | undefined | void>;
