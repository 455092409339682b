// The second SDK version with its own auth, as its documentation tells a host to use it.
import {
  Client,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  DpopSession,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  requestJwtAuthorizationGrant,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { type Run, TOOL } from "../client/context.ts";
import { assertionProvider, InMemoryProvider } from "./provider.ts";
import { withSignIn } from "./retry.ts";

/** The SDK's own provider for a grant without a user. */
function machineProvider(run: Run): OAuthClientProvider | undefined {
  const { client_id: clientId = "", client_secret: clientSecret = "" } = run.context;
  switch (run.scenario) {
    case "client-credentials-basic":
      return new ClientCredentialsProvider({ clientId, clientSecret });
    case "client-credentials-jwt": {
      const { private_key_pem: privateKey = "", signing_algorithm: algorithm = "" } = run.context;
      return new PrivateKeyJwtProvider({ clientId, privateKey, algorithm });
    }
    case "enterprise-managed-authorization": {
      const { idp_token_endpoint: tokenEndpoint = "", idp_id_token: idToken = "", idp_client_id = "" } = run.context;
      return new CrossAppAccessProvider({
        clientId,
        clientSecret,
        assertion: async ({ authorizationServerUrl: audience, resourceUrl: resource }) => {
          const request = { tokenEndpoint, audience, resource, idToken, clientId: idp_client_id };
          return (await requestJwtAuthorizationGrant(request)).jwtAuthGrant;
        },
      });
    }
    case "wif-jwt-bearer":
      return assertionProvider(run);
    default:
      return undefined;
  }
}

/** Connects, lists the tools and calls one, with a sign-in wherever the SDK asks its host for one. */
export async function useOfficialV2(run: Run): Promise<unknown> {
  const person = await InMemoryProvider.start(run);
  const dpop = await DpopSession.create();
  const authProvider = machineProvider(run) ?? Object.assign(person, { dpop: () => dpop });
  const mode = run.protocolVersion === "2026-07-28" ? { pin: run.protocolVersion } : "legacy";
  const newClient = (): Client =>
    new Client({ name: "conformance", version: "1.0.0" }, { versionNegotiation: { mode } });
  let transport: StreamableHTTPClientTransport;
  let client = newClient();
  const signIn = async (): Promise<void> => {
    const response = person.received();
    if (response === undefined) throw new Error("no authorization response");
    await transport.finishAuth(response);
  };
  const signingIn = <Result>(action: () => Promise<Result>): Promise<Result> =>
    withSignIn(action, signIn, (error) => error instanceof UnauthorizedError);
  try {
    await signingIn(async () => {
      client = newClient();
      transport = new StreamableHTTPClientTransport(run.url, { authProvider });
      await client.connect(transport);
    });
    await signingIn(() => client.listTools());
    const { content } = await signingIn(() => client.callTool({ name: TOOL, arguments: {} }));
    const [first] = content;
    return first?.type === "text" ? first.text : undefined;
  } finally {
    await client.close();
    person.close();
  }
}
