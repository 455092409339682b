import { memoryStore } from "../../adapters/memory-store.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { EventHub } from "../../core/events.ts";
import { unionOfScopes } from "../../core/scope.ts";
import { quoted } from "../../core/text.ts";
import type { AuthorizationServerMetadata } from "../../endpoint/authorization-server.ts";
import { isManaged, requestClientRemoval } from "../../endpoint/client-removal-request.ts";
import type { OAuthClient } from "../../endpoint/oauth-client.ts";
import { clientMetadataFor, type DynamicRegistrationRequest, registerDynamically } from "../../registration/dynamic.ts";
import { ClientRegistry } from "../../registration/registry.ts";
import { CLIENT_NAME } from "../command-context.ts";
import type { Finding } from "./diagnosis.ts";
import { stopsWith, whatHappened } from "./error-words.ts";
import type { Evidence, Examination } from "./examination.ts";
import { note, ok, problem } from "./findings.ts";
import { clientIdMetadataDocument, mcp, rfc } from "./rules.ts";

/** What a person says about the client, where they have one. */
export interface ClientChoice {
  readonly clientId?: string;
  readonly clientMetadataUrl?: string;
  /** Whether to register a client for real, and remove it again. */
  readonly register: boolean;
}

export interface ClientCheck {
  /** How the library would get its client; absent where there is no way. */
  readonly how?: OAuthClient["how"];
  readonly findings: readonly Finding[];
}

/** Never listened on: nobody is ever sent there. */
const REDIRECT_URI = "http://127.0.0.1:33418/callback";
const REMOVAL_MS = 3000;

/** A registry that forgets everything: the decision is the library's, and nothing comes of it. */
function registryFor(
  { http, clock }: Examination,
  { issuer }: AuthorizationServerMetadata,
  { clientId, clientMetadataUrl }: ClientChoice,
): ClientRegistry {
  return new ClientRegistry({
    http,
    clock,
    store: memoryStore(),
    events: new EventHub(clock),
    clientName: CLIENT_NAME,
    clients: clientId === undefined ? [] : [{ issuer, clientId }],
    ...(clientMetadataUrl !== undefined && { clientMetadataUrl }),
  });
}

function supportsDocuments(metadata: AuthorizationServerMetadata): boolean {
  return (
    (metadata as { client_id_metadata_document_supported?: unknown }).client_id_metadata_document_supported === true
  );
}

function documentsFinding(metadata: AuthorizationServerMetadata): Finding {
  const id = "client.metadata_documents";
  if (supportsDocuments(metadata)) {
    const library =
      "uses one where it has its URL, which spares the registration (mcp-oauth client-metadata makes one)";
    return ok(id, clientIdMetadataDocument, "Client ID metadata documents are supported.", { library });
  }
  const fix = 'support them, and publish "client_id_metadata_document_supported": true';
  const seen = "Client ID metadata documents are not supported.";
  return note(id, clientIdMetadataDocument, seen, { library: "takes the next way to a client", fix });
}

function knownFinding(client: OAuthClient): Finding {
  const id = quoted(client.clientId, 100);
  return client.how === "pre-registered"
    ? ok("client.pre_registered", mcp("registration"), `The client ${id} is used, which was registered by hand.`)
    : ok("client.metadata_document", clientIdMetadataDocument, `The client's id is its metadata document, ${id}.`);
}

function noWay(error: McpOAuthError): Finding {
  const seen = "There is no way to get a client here: no dynamic registration, and no client was given.";
  const fix =
    "support client ID metadata documents or dynamic registration, or give developers a client to use (--client-id)";
  const library = `stops with the error ${error.code}, and says how to configure a client`;
  return problem("client.unavailable", mcp("registration"), seen, { library, fix, stops: true, code: error.code });
}

function registrationRequest({ challenge, resource }: Evidence): DynamicRegistrationRequest {
  const scope = unionOfScopes(challenge?.scope, resource?.scopesSupported?.join(" "));
  return { clientName: CLIENT_NAME, redirectUri: REDIRECT_URI, ...(scope !== undefined && { scope }) };
}

async function remove({ http, clock, server }: Examination, client: OAuthClient): Promise<Finding> {
  const rule = rfc(7592, "2.3");
  const id = "client.removed";
  const fix = "support RFC 7592, so that clients can take their registrations away";
  if (!isManaged(client)) {
    const library = "leaves it there at a sign-out";
    return note(id, rule, `The client ${quoted(client.clientId, 80)} stays registered: it cannot be removed.`, {
      library,
      fix,
    });
  }
  try {
    // Also after Ctrl-C, since the client is registered by now.
    await requestClientRemoval({ http, clock, server, signal: AbortSignal.timeout(REMOVAL_MS) }, client);
    return ok(id, rule, "The client was removed again.");
  } catch (error) {
    if (!(error instanceof McpOAuthError)) throw error;
    return note(id, rule, `The client stays registered. ${whatHappened(error)}`, {
      library: "leaves it there at a sign-out",
      fix,
    });
  }
}

async function register(
  examination: Examination,
  evidence: Evidence,
  metadata: AuthorizationServerMetadata,
): Promise<Finding[]> {
  const { http, clock, server, signal } = examination;
  const context = { http, clock, server, signal, authorizationServer: metadata };
  return http.recorder.during({ step: "client", by: "library" }, async () => {
    try {
      const client = await registerDynamically(context, registrationRequest(evidence));
      const secret = client.clientSecret === undefined ? "a public client" : "a client with a secret";
      const seen = `Registered ${secret}, which authenticates with ${client.authenticationMethod}.`;
      return [ok("client.registered", rfc(7591, "3.2.1"), seen), await remove(examination, client)];
    } catch (error) {
      if (!(error instanceof McpOAuthError) || error.code === "aborted") throw error;
      const consequence = { library: stopsWith(error), stops: true, code: error.code } as const;
      const fix = "let native clients register: http redirect URIs on 127.0.0.1 with any port, application_type native";
      return [problem("client.registration_failed", rfc(7591, "3.2.2"), whatHappened(error), { ...consequence, fix })];
    }
  });
}

function wouldRegister(metadata: AuthorizationServerMetadata, evidence: Evidence): Finding {
  const isGuess = evidence.discovery?.defaultEndpoints === true;
  const { token_endpoint_auth_method: method } = clientMetadataFor(registrationRequest(evidence), metadata);
  const library = `registers a native client with the authentication method ${String(method)}, once for this issuer`;
  const place = quoted(metadata.registration_endpoint ?? "");
  const seen = `Clients ${isGuess ? "may be able to" : "can"} register at ${place}. None was registered now (--register tries it).`;
  return ok("client.registration", rfc(7591, "3"), seen, { library });
}

/** How the library would get a client, in its own order: registered by hand, a metadata document, dynamic registration. */
export async function checkClient(
  examination: Examination,
  evidence: Evidence,
  choice: ClientChoice,
): Promise<ClientCheck> {
  const { authorizationServer: metadata, discovery } = evidence;
  if (metadata === undefined) return { findings: [] };
  const registry = registryFor(examination, metadata, choice);
  const known = await registry.known(metadata);
  if (known !== undefined) return { how: known.how, findings: [knownFinding(known)] };
  const documents = documentsFinding(metadata);
  if (metadata.registration_endpoint === undefined) {
    const query = { server: examination.server, authorizationServer: metadata, redirectUri: REDIRECT_URI };
    const error = await registry.obtain(query).catch((reason: unknown) => reason);
    if (!(error instanceof McpOAuthError)) throw error;
    return { findings: [documents, noWay(error)] };
  }
  // Nothing is registered where a sign-in would not have come so far.
  const findings =
    choice.register && discovery !== undefined
      ? await register(examination, evidence, metadata)
      : [wouldRegister(metadata, evidence)];
  return { how: "dynamic", findings: [documents, ...findings] };
}
