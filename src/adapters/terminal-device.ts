import { type Clock, systemClock } from "../core/clock.ts";
import { inertText } from "../core/text.ts";
import type { DeviceSignIn, PromptForDevice } from "../ports/device-prompt.ts";

/** Options of {@link terminalDevicePrompt}. */
export interface TerminalDevicePromptOptions {
  /** Where the text goes. Default: stderr, because stdout may belong to a protocol. */
  output?: NodeJS.WritableStream;
  /** Whether a QR code is drawn. Default: whether the output is a terminal with room for it. */
  qrCode?: boolean;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock;
}

/** Wider codes than this are those of very long addresses; they are not drawn. */
const WIDEST_CODE = 76;

/** The code of an address as lines of half blocks, or nothing when it is too wide to be scanned off a terminal. */
async function drawCode({ verificationUri, verificationUriComplete }: DeviceSignIn): Promise<string[]> {
  const { renderUnicodeCompact } = await import("uqr");
  const lines = renderUnicodeCompact(verificationUriComplete ?? verificationUri, { border: 2 }).split("\n");
  return (lines[0]?.length ?? 0) > WIDEST_CODE ? [] : lines.map((line) => `  ${line}`);
}

/** The drawn code with what to do with it. */
function invitedCode({ verificationUriComplete }: DeviceSignIn, code: readonly string[]): string[] {
  if (code.length === 0) return [];
  const invitation =
    verificationUriComplete === undefined
      ? "  Or scan this with a phone:"
      : "  Or scan this with a phone, and compare the code that it shows:";
  return [invitation, "", ...code, ""];
}

function minutesLeft({ expiresAt }: DeviceSignIn, nowMs: number): number {
  return Math.max(Math.round((expiresAt - nowMs) / 60_000), 1);
}

/** A code that does not fit would push the address and the code out of sight, or could not be scanned. */
function fits(output: NodeJS.WritableStream, lines: readonly string[]): boolean {
  const { isTTY, columns = 80, rows = 24 } = output as { isTTY?: boolean; columns?: number; rows?: number };
  return isTTY === true && lines.length < rows && lines.every((line) => line.length < columns);
}

function linesOf(signIn: DeviceSignIn, code: readonly string[], nowMs: number): string[] {
  const { server, clientName, authorizationServer, verificationUri, userCode } = signIn;
  return [
    "",
    `  ${inertText(clientName, 80)} wants to sign in`,
    `  to        ${inertText(server)}`,
    `  through   ${inertText(authorizationServer)}`,
    "",
    "  On any device, open this address:",
    "",
    // Not indented, so that a selection over several lines holds nothing but the address.
    verificationUri,
    "",
    `  and enter this code:   ${inertText(userCode, 64)}`,
    "",
    ...invitedCode(signIn, code),
    `  The code ends in ${minutesLeft(signIn, nowMs)} min. Enter it only if you have started this sign-in`,
    "  yourself: whoever sent you here would be signed in as you.",
    "",
  ];
}

/** The same for a window of 24 lines: the code above, so that nothing else scrolls out of sight, and few words. */
function shortLinesOf(signIn: DeviceSignIn, code: readonly string[], nowMs: number): string[] {
  const { server, clientName, authorizationServer, verificationUri, userCode } = signIn;
  return [
    ...code,
    `  ${inertText(clientName, 80)} wants to sign in to ${inertText(server)}`,
    `  through ${inertText(authorizationServer)}`,
    "  Scan this with a phone, or open this address on any device:",
    verificationUri,
    `  The code is ${inertText(userCode, 64)} and ends in ${minutesLeft(signIn, nowMs)} min. Enter it only if you have started`,
    "  this sign-in yourself: whoever sent you here would be signed in as you.",
  ];
}

/**
 * A device prompt for a terminal: who asks, the address, the code, and a QR code for a phone (RFC 8628 section 3.3.1), with
 * the warning of its section 5.4. Everything shown is made inert first.
 */
export function terminalDevicePrompt(options: TerminalDevicePromptOptions = {}): PromptForDevice {
  const { output = process.stderr, clock = systemClock } = options;
  return async (signIn) => {
    if (signIn.signal.aborted) return;
    const now = clock.now();
    const code = options.qrCode === false ? [] : await drawCode(signIn);
    const plain = linesOf(signIn, [], now);
    const layouts = code.length === 0 ? [] : [linesOf(signIn, code, now), shortLinesOf(signIn, code, now)];
    const fitting = layouts.find((lines) => fits(output, lines));
    const lines = fitting ?? (options.qrCode === true ? layouts[0] : undefined) ?? plain;
    output.write(`${lines.join("\n")}\n`);
  };
}
