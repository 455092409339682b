import { systemClock } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { canonicalServerUrl, requireSecureUrl } from "../../core/url.ts";
import type { Discovery } from "../../discovery/discover.ts";
import { ServerInterview } from "./ask-server.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { checkAuthorizationServer, deviationFinding } from "./check-authorization-server.ts";
import { type ClientCheck, type ClientChoice, checkClient } from "./check-client.ts";
import { timeFindings } from "./check-delivery.ts";
import { checkEndpoints } from "./check-endpoints.ts";
import { checkResource, type ResourceCheck } from "./check-resource.ts";
import { checkServer, insecureServer, type ServerCheck, unreachableServer } from "./check-server.ts";
import { checkSignIn } from "./check-sign-in.ts";
import type { Diagnosis, Finding, Step, StepId } from "./diagnosis.ts";
import type { Evidence, Examination } from "./examination.ts";
import { exchangesOf } from "./exchanges.ts";
import { Recorder, type Recording } from "./recorder.ts";
import { RecordingHttp } from "./recording-http.ts";
import { Redactor } from "./redactor.ts";
import { asOutcome, foundBy, Search } from "./search.ts";
import { verdictOf } from "./verdict.ts";

export interface DiagnoseOptions extends ClientChoice {
  readonly url: string;
  /** Of this package. */
  readonly version: string;
  readonly platform: string;
  /** For each request. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told before each request. */
  readonly onRequest: (method: string, url: string) => void;
}

type StepFindings = Record<StepId, Finding[]>;

const TITLES: Record<StepId, string> = {
  server: "MCP server",
  resource: "Protected resource metadata",
  authorization_server: "Authorization server",
  client: "Client",
  sign_in: "Sign-in",
};

/** Which step a request of the discovery belongs to; a redirect belongs to the request that it answers. */
function stepOf(url: string, { challenge }: ServerCheck, last: Recording | undefined): StepId {
  const isRedirect = (last?.status ?? 0) >= 300 && (last?.status ?? 0) < 400;
  if (isRedirect && last !== undefined && last.step !== "server") return last.step;
  return url === challenge?.resourceMetadata || url.includes("/.well-known/oauth-protected-resource")
    ? "resource"
    : "authorization_server";
}

interface Examined {
  readonly server: ServerCheck;
  readonly evidence: Evidence;
  readonly client: ClientCheck;
}

async function examine(
  examination: Examination,
  options: DiagnoseOptions,
  findings: StepFindings,
): Promise<Examined | undefined> {
  const { http } = examination;
  const { recorder } = http;
  const answers = await new ServerInterview(http, examination.server, options.version).run().catch(asOutcome);
  if (answers instanceof McpOAuthError) {
    findings.server.push(unreachableServer(answers));
    return undefined;
  }
  const server = checkServer(examination.server, answers);
  findings.server.push(...server.findings, ...timeFindings(recorder.recordings, "server"));
  const asks = server.asks === "at_once" || server.asks === "later";
  const search = new Search(examination, server.challenge);
  const strict = asks
    ? await recorder.during(
        (url) => ({ step: stepOf(url, server, recorder.last), by: "library" }),
        () => search.strict(),
      )
    : undefined;
  const resource = await recorder.during({ step: "resource", by: "doctor" }, () =>
    checkResource(examination, server.challenge?.resourceMetadata),
  );
  const base: Evidence = {
    ...(server.challenge !== undefined && { challenge: server.challenge }),
    ...(resource.metadata !== undefined && { resource: resource.metadata }),
  };
  // A server that asks for nothing, and says nothing of authorization either, is not examined for it.
  const isSilent = !asks && resource.issuers.length === 0;
  if (isSilent) return { server, evidence: base, client: { findings: [] } };
  findings.resource.push(...resource.findings);
  return goOn(examination, { options, findings, search, strict, server, resource, base });
}

interface Further {
  readonly options: DiagnoseOptions;
  readonly findings: StepFindings;
  readonly search: Search;
  readonly strict: Discovery | McpOAuthError | undefined;
  readonly server: ServerCheck;
  readonly resource: ResourceCheck;
  readonly base: Evidence;
}

/** From the authorization server on. */
async function goOn(examination: Examination, further: Further): Promise<Examined> {
  const { options, findings, search, server, resource, base } = further;
  const { recorder } = examination.http;
  const discovered = await recorder.during(
    (url) => ({ step: stepOf(url, server, recorder.last), by: "doctor" }),
    async () => further.strict ?? search.strict(),
  );
  const isStopped = discovered instanceof McpOAuthError;
  const discovery = isStopped ? undefined : discovered;
  const before = recorder.recordings.length;
  const checked = await recorder.during({ step: "authorization_server", by: "doctor" }, async () => {
    const found = isStopped && resource.stopped ? await search.behind(resource) : foundBy(discovered);
    if (found === undefined) return undefined;
    const check = await checkAuthorizationServer(examination, found, resource.issuers);
    const answering = discovery === undefined ? [] : await checkEndpoints(examination, discovery);
    return { ...check, findings: [...check.findings, ...answering] };
  });
  if (checked === undefined) return { server, evidence: base, client: { findings: [] } };
  const ofResource = new Set(resource.deviations.map(({ detail }) => detail));
  const deviations = search.deviations.filter(({ detail }) => !ofResource.has(detail));
  findings.authorization_server.push(...checked.findings, ...deviations.map(deviationFinding));
  findings.authorization_server.push(...timeFindings(recorder.recordings.slice(before), "authorization_server"));
  const evidence: Evidence = {
    ...base,
    ...(discovery !== undefined && { discovery }),
    ...(checked.metadata !== undefined && { authorizationServer: checked.metadata }),
  };
  const client = await checkClient(examination, evidence, options);
  findings.client.push(...client.findings);
  findings.sign_in.push(...checkSignIn(examination, evidence));
  return { server, evidence, client };
}

/** What is wrong with the address alone. */
function addressProblem(server: string): Finding | undefined {
  try {
    requireSecureUrl(server, "The MCP server's URL");
    return undefined;
  } catch {
    return insecureServer();
  }
}

/**
 * Walks the way to a sign-in without signing in: what the library asks, what it makes of the answers, and, behind what it
 * would stop at, what comes next. Nothing is registered or changed anywhere unless `register` says so.
 *
 * @throws `invalid_argument`, `invalid_configuration`, `aborted`. What a server does wrong is in the diagnosis.
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  const { version, platform, signal, timeoutMs } = options;
  const server = canonicalServerUrl(options.url);
  const clock = systemClock;
  const recorder = new Recorder(clock, ({ method, url }) => options.onRequest(method, url));
  const http = new RecordingHttp({ recorder, clock, timeoutMs, signal });
  const findings: StepFindings = { server: [], resource: [], authorization_server: [], client: [], sign_in: [] };
  const examination: Examination = { server, http, clock, signal };
  const at = new Date(clock.now()).toISOString();
  const insecure = addressProblem(server);
  if (insecure !== undefined) findings.server.push(insecure);
  const examined = insecure === undefined ? await examine(examination, options, findings) : undefined;
  const redactor = new Redactor(options.url);
  const exchanges = exchangesOf(recorder.recordings, redactor);
  const steps = (Object.keys(findings) as StepId[]).map(
    (id): Step => ({
      id,
      title: TITLES[id],
      exchanges: exchanges.filter(({ step }) => step === id),
      findings: findings[id],
    }),
  );
  const evidence = examined?.evidence ?? {};
  const verdict = verdictOf({
    server,
    asks: examined?.server.asks ?? "not_understood",
    evidence,
    how: examined?.client.how,
    findings: steps.flatMap((step) => step.findings),
  });
  const capabilities = capabilitiesOf(evidence);
  return redactor.everywhere({
    package: { name: "mcp-oauth-client", version },
    platform,
    at,
    server,
    verdict,
    capabilities,
    steps,
  });
}
