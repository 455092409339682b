import { Console } from "node:console";
import process from "node:process";
import type { Command } from "commander";
import { openInBrowser } from "../../adapters/browser.ts";
import { inertText } from "../../core/text.ts";
import { canonicalServerUrl, requireSecureUrl } from "../../core/url.ts";
import type { OpenBrowser } from "../../ports/browser.ts";
import type { TokenManager } from "../../token-manager.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { newCommand } from "../new-command.ts";
import { perform } from "../perform.ts";
import type { RestrainedAsking } from "../proxy/restrained-asking.ts";
import { shellWord } from "../shell-word.ts";

interface ProxyOptions extends CommonOptions {
  readonly account: string;
  readonly login: boolean;
  readonly printConfig?: boolean;
}

/** How long answers that are under way are waited for when the host has closed its end. */
const DRAIN_MS = 1500;
/** How long what is left to do may take after that, such as writing a token that has just been refreshed. */
const LINGER_MS = 5000;

const description = `Speaks MCP on stdin and stdout and passes every message on to a remote server, with your session there, so that a host that knows only local servers can use it.

When the server asks for a sign-in, your browser opens; requests of the host wait meanwhile. Where there is no browser, sign in beforehand: mcp-oauth login URL. Nothing but MCP is written to stdout; what happens is told on stderr. --json is for --print-config.`;

/** What else it writes is for a host. */
function writesJson({ json, printConfig }: ProxyOptions): boolean {
  return json === true && printConfig === true;
}

export function proxyCommand(): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "proxy",
    summary: "serve a remote server on stdio, for hosts that know only local ones",
    description,
    examples: [
      [`mcp-oauth proxy ${url} --print-config`, "what to write into the host's configuration"],
      [`mcp-oauth proxy ${url}`, "what the host then runs"],
    ],
  })
    .argument("<url>", "the MCP server")
    .option("--account <name>", "which of several accounts on the server", "default")
    .option("--no-login", "never open a browser; requests fail until somebody has signed in")
    .option("--print-config", "print what a host has to be told, and end")
    .action(perform(proxy, writesJson));
}

/** The options that are to hold when a host starts the command. */
function repeated({ account, login, store = "auto", profile }: ProxyOptions): string[] {
  return [
    ...(account === "default" ? [] : ["--account", account]),
    ...(login ? [] : ["--no-login"]),
    ...(store === "auto" ? [] : ["--store", store]),
    ...(profile === undefined ? [] : ["--profile", profile]),
  ];
}

/** What is told of sign-ins and of the session, for a log that a host keeps. */
function tellSession(tokens: TokenManager, remark: (text: string) => void): void {
  tokens.on("token_issued", ({ server = "" }) => remark(`Signed in to ${server}.`));
  tokens.on("sign_in_required", ({ reason }) => remark(inertText(reason, 400)));
  tokens.on("refresh_failing", ({ server = "", code }) =>
    remark(`The session at ${server} cannot be refreshed for now (${code}); it is tried again.`),
  );
}

/** What decides whether a page is opened. */
interface Occasion {
  readonly asking: RestrainedAsking;
  readonly remark: (text: string) => void;
  /** Whether the host waits for the answer to a request. */
  isAwaited(): boolean;
}

function pageOpener(url: URL, occasion: Occasion): OpenBrowser {
  return async (page) => {
    // A stream for what the server says by itself, or the farewell to it, is no reason to ask anybody.
    if (!occasion.isAwaited()) {
      occasion.remark("The next request of the host will ask you to sign in.");
      throw new Error("no request of the host waits for it");
    }
    occasion.asking.beforePage();
    occasion.remark(`Waiting for you to sign in to ${url.href} in your browser, at ${page.host}.`);
    await openInBrowser(page);
  };
}

async function proxy(context: CommandContext, address: string, options: ProxyOptions): Promise<number> {
  const { output, signal, environment } = context;
  const url = requireSecureUrl(canonicalServerUrl(address), "The MCP server's URL");
  if (options.printConfig === true) {
    const { configurationText, hostConfigurations } = await import("../proxy/print-config.ts");
    const configurations = hostConfigurations(url, repeated(options));
    output.result(configurations, configurationText(configurations));
    return exitCodes.ok;
  }
  const { loadTransports } = await import("../sdk/load-sdk.ts");
  const sdk = await loadTransports(["proxy", url.href, ...repeated(options)].map(shellWord).join(" "));
  const [{ Bridge }, { connectPatiently }, { flushed, readLines }, { RestrainedAsking }] = await Promise.all([
    import("../proxy/bridge.ts"),
    import("../proxy/connections.ts"),
    import("../proxy/lines.ts"),
    import("../proxy/restrained-asking.ts"),
  ]);
  const { stdin, stdout, stderr } = process;
  // Whatever a dependency says by this way is not MCP.
  globalThis.console = new Console(stderr);
  connectPatiently(environment);
  const remark = (text: string): void => output.note(text);
  const asking = new RestrainedAsking();
  const occasion = { asking, remark, isAwaited: () => false };
  const tokens = await context.tokens({ interactive: options.login, openBrowser: pageOpener(url, occasion) });
  tellSession(tokens, remark);
  asking.follow(tokens);
  const { account } = options;
  const bridge = new Bridge({
    sdk,
    url,
    account,
    fetch: asking.restrain(tokens.fetch(url, { account })),
    toHost: (message) => void stdout.write(`${JSON.stringify(message)}\n`),
    onRemark: remark,
  });
  occasion.isAwaited = () => bridge.isAwaited;
  // Other commands end at once when nobody reads them any more; here there is a session to end.
  const hostIsGone = new AbortController();
  stdout.removeAllListeners("error").on("error", () => hostIsGone.abort());
  const stopped = AbortSignal.any([signal, hostIsGone.signal]);
  await readLines(stdin, (line) => bridge.fromHost(line), stopped);
  if (!stopped.aborted) await bridge.drain(DRAIN_MS);
  await bridge.close();
  // Timers of the SDK, for streams that it was about to take up again, would keep the process; so would a host that no
  // longer reads.
  setTimeout(() => process.exit(), LINGER_MS).unref();
  await flushed(stdout);
  return signal.aborted ? exitCodes.interrupted : exitCodes.ok;
}
