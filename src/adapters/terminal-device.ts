import process from "node:process";
import { type Clock, systemClock } from "../core/clock.ts";
import { inertText } from "../core/text.ts";
import type { DeviceSignIn, PromptForDevice } from "../ports/device-prompt.ts";

/** Options of {@link terminalDevicePrompt}. */
export interface TerminalDevicePromptOptions {
  /** Where the text goes. Default: stderr, because stdout may belong to a protocol. */
  output?: NodeJS.WritableStream;
  /** Whether a QR code is drawn. Default: whether the output is a terminal that is wide enough. */
  qrCode?: boolean;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock;
}

/** The narrowest terminal that a code for a usual address fits into. */
const LEAST_COLUMNS = 60;

function canDraw(output: NodeJS.WritableStream): boolean {
  const { isTTY, columns } = output as { isTTY?: boolean; columns?: number };
  return isTTY === true && (columns ?? 80) >= LEAST_COLUMNS;
}

/** The code of an address as lines of half blocks, or nothing when it is too wide to be scanned off a terminal. */
async function drawCode(address: string): Promise<string[]> {
  const { renderUnicodeCompact } = await import("uqr");
  const lines = renderUnicodeCompact(address, { border: 2 }).split("\n");
  return (lines[0]?.length ?? 0) > LEAST_COLUMNS ? [] : lines.map((line) => `  ${line}`);
}

async function textOf(signIn: DeviceSignIn, withCode: boolean, nowMs: number): Promise<string> {
  const { server, clientName, authorizationServer, verificationUri, verificationUriComplete, userCode } = signIn;
  const minutes = Math.max(Math.round((signIn.expiresAt - nowMs) / 60_000), 1);
  const lines = [
    "",
    `  ${inertText(clientName, 80)} wants to sign in to   ${inertText(server)}`,
    `  through   ${inertText(authorizationServer)}`,
    "",
    "  On any device, open:",
    "",
    verificationUri,
    "",
    `  and enter the code   ${inertText(userCode, 64)}`,
    "",
    ...(withCode ? await drawCode(verificationUriComplete ?? verificationUri) : []),
    "",
    `  The code ends in ${minutes} min. Enter it only if you have started this sign-in`,
    "  yourself: whoever sent you here would be signed in as you.",
    "",
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * A device prompt for a terminal: who asks, the address, the code, and a QR code for a phone (RFC 8628 section 3.3.1), with
 * the warning of its section 5.4. Everything shown is made inert first.
 */
export function terminalDevicePrompt(options: TerminalDevicePromptOptions = {}): PromptForDevice {
  const { output = process.stderr, clock = systemClock } = options;
  const { qrCode = canDraw(output) } = options;
  return async (signIn) => {
    if (!signIn.signal.aborted) output.write(await textOf(signIn, qrCode, clock.now()));
  };
}
