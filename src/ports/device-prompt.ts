/** What a person needs in order to sign in on another device (RFC 8628 section 3.3). */
export interface DeviceSignIn {
  /** The MCP server that the sign-in is for. */
  readonly server: string;
  /** The host application's name. */
  readonly clientName: string;
  /** The authorization server's host. */
  readonly authorizationServer: string;
  /** The page to open on any device. It has been checked to be https, or http on loopback. */
  readonly verificationUri: string;
  /** The same page with the code filled in, for a QR code; absent where the server has none. */
  readonly verificationUriComplete?: string;
  /** The code to type in. Show it in any case, so that the user can compare it. */
  readonly userCode: string;
  /** When the code ends, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Aborts when the sign-in has ended, so that the prompt can be taken away. */
  readonly signal: AbortSignal;
}

/**
 * Shows a device sign-in to the user. What it returns is not waited for; a rejection ends the sign-in.
 *
 * Say who asks and for what: whoever is sent such a code by somebody else signs that other one in (RFC 8628 section 5.4).
 */
export type PromptForDevice = (signIn: DeviceSignIn) => unknown;
