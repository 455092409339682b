import { chooseDpop } from "../../authorization/dpop-choice.ts";
import { chooseScope } from "../../authorization/scope.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { quoted } from "../../core/text.ts";
import type { Discovery } from "../../discovery/discover.ts";
import { takesPushedRequests } from "../../flow/push-request.ts";
import { opensBrowser } from "./check-authorization-server-content.ts";
import type { Finding } from "./diagnosis.ts";
import { stopsWith, whatHappened } from "./error-words.ts";
import { type Evidence, type Examination, strictPolicy } from "./examination.ts";
import { note, ok, problem } from "./findings.ts";
import { mcp, rfc } from "./rules.ts";

function scopeFinding(
  { server }: Examination,
  { challenge, resource, authorizationServer }: Required<Pick<Evidence, "authorizationServer">> & Evidence,
): Finding {
  const scope = chooseScope({
    server,
    authorizationServer,
    ...(challenge?.scope !== undefined && { challenged: challenge.scope }),
    ...(resource?.scopesSupported !== undefined && { supportedByResource: resource.scopesSupported }),
  });
  const rule = mcp("authorization");
  if (scope === undefined) {
    const fix =
      "name scopes in the challenge or in the resource metadata: some authorization servers refuse requests without";
    return note("sign_in.scope", rule, "Nobody says which scopes to ask for.", { library: "asks for none", fix });
  }
  return ok("sign_in.scope", rule, `Asks for the scope ${quoted(scope, 120)}.`);
}

function dpopFinding(discovery: Discovery, { challenge }: Evidence): Finding {
  const rule = rfc(9449, "5");
  try {
    const choice = chooseDpop("auto", discovery, challenge);
    if (choice === undefined)
      return ok("sign_in.dpop", rule, "Tokens are bearer tokens: the two servers do not both offer DPoP.");
    const need = choice.required ? "which the server requires" : "which both servers offer";
    return ok("sign_in.dpop", rule, `Tokens are bound to a key of ${choice.algorithm}, ${need}.`);
  } catch (error) {
    if (!(error instanceof McpOAuthError)) throw error;
    const fix = "offer ES256 on both servers";
    return problem("sign_in.dpop", rule, whatHappened(error), {
      library: stopsWith(error),
      fix,
      stops: true,
      code: error.code,
    });
  }
}

function resourceFinding({ issuer, resource, server }: Discovery): Finding {
  const rule = rfc(8707, "2");
  const omits = strictPolicy(() => undefined).profiles.use("omitResource", issuer, server) === true;
  return omits
    ? note("sign_in.resource", rule, "This issuer is known to refuse the parameter resource.", {
        library: "leaves it out",
      })
    : ok("sign_in.resource", rule, `Sends resource=${quoted(resource)} with every request for a code or a token.`);
}

function flowFindings(discovery: Discovery): Finding[] {
  const { authorization_endpoint: browser, device_authorization_endpoint: device } = discovery.authorizationServer;
  const rule = mcp("authorization");
  const findings: Finding[] = [];
  if (browser !== undefined && opensBrowser(discovery)) {
    const seen = `Opens ${quoted(browser)} in a browser, with PKCE, and listens on 127.0.0.1 for the answer.`;
    findings.push(ok("sign_in.browser", rule, seen));
  }
  if (device !== undefined)
    findings.push(
      ok("sign_in.device", rfc(8628, "3.1"), "Can show a code for another device where there is no browser."),
    );
  return findings;
}

/** What a sign-in would ask for, as far as that is known before somebody signs in. */
export function checkSignIn(examination: Examination, evidence: Evidence): Finding[] {
  const { discovery, authorizationServer } = evidence;
  if (authorizationServer === undefined) return [];
  const findings = [scopeFinding(examination, { ...evidence, authorizationServer })];
  if (discovery === undefined) return findings;
  findings.unshift(...flowFindings(discovery));
  findings.push(resourceFinding(discovery), dpopFinding(discovery, evidence));
  if (takesPushedRequests(authorizationServer))
    findings.push(
      ok(
        "sign_in.pushed",
        rfc(9126, "2"),
        "Pushes the request, so that only a reference to it goes through the browser.",
      ),
    );
  return findings;
}
