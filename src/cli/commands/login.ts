import { type Command, Option } from "commander";
import { findMcpOAuthError } from "../../core/errors.ts";
import { scopesOf } from "../../core/scope.ts";
import { inertText } from "../../core/text.ts";
import { canonicalServerUrl } from "../../core/url.ts";
import type { SessionStatus, TokenManagerOptions } from "../../index.ts";
import type { TokenManager } from "../../token-manager.ts";
import { CLIENT_NAME, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withDeadline } from "../deadline.ts";
import { answersAnybody } from "../first-look.ts";
import { type ClientOptions, clientOf, SECRET_VARIABLE } from "../login-client.ts";
import { newCommand } from "../new-command.ts";
import { someText, wholeNumber } from "../option-values.ts";
import { perform } from "../perform.ts";
import { sessionAsData } from "../session-as-data.ts";
import { sessionRows } from "../session-rows.ts";
import { shellWord } from "../shell-word.ts";
import { SignInScreen } from "../sign-in-screen.ts";
import { readSessions, requireLastingStore } from "../stored-sessions.ts";
import { relativeTime } from "../times.ts";

interface LoginOptions extends CommonOptions, ClientOptions {
  readonly device?: boolean;
  readonly paste?: boolean;
  readonly account: string;
  readonly scope?: string;
  readonly clientName: string;
  readonly clientMetadataUrl?: string;
  readonly redirectHost?: string;
  readonly redirectPort?: number;
  readonly redirectPath?: string;
  readonly timeout: number;
}

/** The longest that a timer can wait, in whole seconds. */
const LONGEST_TIMEOUT = 2_147_483;

const description = `Signs you in to a protected MCP server and keeps the session, for every program on this machine that uses this package.

The sign-in happens in your browser. Without one (over SSH, in a container) it falls to a code that you enter on another device, where the server has that, or to an address to open anywhere and to paste back. What is shown says which authorization server it goes to.`;

export function loginCommand(): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "login",
    summary: "sign in to a server and keep the session",
    description,
    examples: [
      [`mcp-oauth login ${url}`, "sign in with the browser"],
      [`mcp-oauth login ${url} --device`, "sign in with a code on another device"],
      [`mcp-oauth login ${url} --account work`, "as a second account"],
      [
        `mcp-oauth login ${url} \\\n      --client-id abc --issuer https://auth.example.com --redirect-port 3334`,
        "with a client that was registered by hand",
      ],
    ],
  })
    .argument("<url>", "the MCP server")
    .addOption(new Option("--device", "show a code to enter on another device").conflicts("paste"))
    .option("--paste", "show an address to open anywhere, and take what it ends on")
    .option("--account <name>", "which of several accounts on the server", "default")
    .option("--scope <scopes>", "scopes to ask for, separated by spaces (default: what the server asks for)")
    .option("--client-name <name>", "the name on consent pages", someText, CLIENT_NAME)
    .option("--client-metadata-url <url>", "the URL of a client ID metadata document")
    .option("--client-id <id>", "a client that was registered by hand", someText)
    .option("--client-secret-file <file>", `its secret; - is stdin (or in ${SECRET_VARIABLE})`)
    .option("--issuer <url>", "the authorization server that the client is registered with")
    .addOption(
      new Option("--redirect-host <host>", "where the browser comes back to (default: 127.0.0.1)").choices([
        "127.0.0.1",
        "localhost",
        "::1",
      ]),
    )
    .option("--redirect-port <port>", "with a fixed port (default: a free one)", wholeNumber(1, 65_535))
    .option("--redirect-path <path>", "with another path (default: /callback)")
    .option("--timeout <seconds>", "how long you may take", wholeNumber(1, LONGEST_TIMEOUT), 300)
    .action(perform(login));
}

async function managerOptions(
  context: CommandContext,
  server: string,
  options: LoginOptions,
): Promise<Partial<TokenManagerOptions>> {
  const { clientName, clientMetadataUrl, timeout } = options;
  const { redirectHost: host, redirectPort: port, redirectPath: path } = options;
  const client = await clientOf(context, server, options);
  return {
    interactive: true,
    clientName,
    signInTimeoutMs: timeout * 1000,
    redirect: {
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      ...(path !== undefined && { path }),
    },
    ...(clientMetadataUrl !== undefined && { clientMetadataUrl }),
    ...(client !== undefined && { clients: [client] }),
  };
}

function flowOf({ device, paste }: LoginOptions): "device" | "paste" | "auto" {
  if (device === true) return "device";
  return paste === true ? "paste" : "auto";
}

/** What the events of a sign-in tell beside its result. */
interface Course {
  hasStarted: boolean;
  askedFor: string | undefined;
}

function follow(tokens: TokenManager, course: Course): void {
  tokens.on("sign_in_started", ({ scope }) => Object.assign(course, { hasStarted: true, askedFor: scope }));
}

async function login(context: CommandContext, url: string, options: LoginOptions): Promise<void> {
  const server = canonicalServerUrl(url);
  const seconds = options.timeout;
  const course: Course = { hasStarted: false, askedFor: undefined };
  const message = (): string => tooLate(server, seconds, course);
  await withDeadline(context, { seconds, message }, (within) => signInTo(within, { server, course }, options));
}

function tooLate(server: string, seconds: number, { hasStarted }: Course): string {
  const missed = hasStarted
    ? `Nobody finished the sign-in to ${server} within ${seconds} s. Start it again;`
    : `The sign-in to ${server} could not begin within ${seconds} s: a server did not answer, or another sign-in was under way.`;
  return `${missed} --timeout SECONDS gives more time.`;
}

async function signInTo(
  context: CommandContext,
  { server, course }: { readonly server: string; readonly course: Course },
  options: LoginOptions,
): Promise<void> {
  const { output, signal } = context;
  const { account, scope } = options;
  const settings = await managerOptions(context, server, options);
  const screen = new SignInScreen(output);
  const tokens = await context.tokens({ ...settings, ...screen.options });
  screen.watch(tokens);
  follow(tokens, course);
  const stored = await readSessions(tokens, { server, account });
  requireLastingStore(stored);
  const [before] = stored.sessions;
  if (before?.state === "signed_in") tellSession(context, before);
  try {
    await screen.begin(server);
    await tokens.signIn(server, { account, signal, flow: flowOf(options), ...(scope !== undefined && { scope }) });
  } catch (error) {
    screen.close();
    const isOpen =
      !course.hasStarted && findMcpOAuthError(error) !== undefined && (await answersAnybody(context, server));
    if (!isOpen || signal.aborted) throw error;
    output.result({ server, needsSignIn: false }, `${server} needs no sign-in: it answers requests without a token.`);
    return;
  }
  screen.close();
  const [session] = await tokens.status(server, { account });
  if (session !== undefined) tellSuccess(context, session, course.askedFor);
}

function tellSession({ output }: CommandContext, { account, signedInAt = 0 }: SessionStatus): void {
  const since = relativeTime(signedInAt, Date.now());
  output.note(`You signed in ${since} as account ${inertText(account)}. This sign-in takes the place of that one.`);
}

function tellSuccess({ output }: CommandContext, session: SessionStatus, askedFor: string | undefined): void {
  const { server, scope } = session;
  const granted = scopesOf(scope);
  const missing = scope === undefined ? [] : scopesOf(askedFor).filter((each) => !granted.includes(each));
  const rows = sessionRows(session, output, Date.now()).filter(([label]) => label !== "signed in");
  const heading = output.style("green", `Signed in to ${server}`);
  output.result({ needsSignIn: true, session: sessionAsData(session) }, `${heading}\n\n${output.rows(rows)}`);
  // Being able to refresh is mostly not named among the granted scopes.
  const notGranted = missing.filter((each) => each !== "offline_access");
  if (notGranted.length > 0) output.note(`\nAsked for, and not granted: ${inertText(notGranted.join(" "))}`, "yellow");
  output.note(`\nTry it: mcp-oauth tools ${shellWord(server)}`);
}
