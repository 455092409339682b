// The first SDK version with its own auth, as its documentation tells a host to use it.
import { type OAuthClientProvider, UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { ClientCredentialsProvider, PrivateKeyJwtProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { type Run, TOOL } from "../client/context.ts";
import { assertionProvider, InMemoryProvider } from "./provider.ts";
import { withSignIn } from "./retry.ts";

/** The SDK's own provider for a grant without a user, where it has one. */
function machineProvider(run: Run): OAuthClientProvider | undefined {
  const { client_id: clientId = "", client_secret: clientSecret = "" } = run.context;
  switch (run.scenario) {
    case "client-credentials-basic":
      return new ClientCredentialsProvider({ clientId, clientSecret });
    case "client-credentials-jwt": {
      const { private_key_pem: privateKey = "", signing_algorithm: algorithm = "" } = run.context;
      return new PrivateKeyJwtProvider({ clientId, privateKey, algorithm });
    }
    case "wif-jwt-bearer":
      return assertionProvider(run);
    default:
      return undefined;
  }
}

/** Connects, lists the tools and calls one, with a sign-in wherever the SDK asks its host for one. */
export async function useOfficialV1(run: Run): Promise<unknown> {
  const person = await InMemoryProvider.start(run);
  const authProvider = machineProvider(run) ?? person;
  let transport: StreamableHTTPClientTransport;
  let client = new Client({ name: "conformance", version: "1.0.0" });
  const signIn = async (): Promise<void> => {
    const code = person.received()?.get("code");
    if (code === undefined || code === null) throw new Error("no authorization response");
    await transport.finishAuth(code);
  };
  const signingIn = <Result>(action: () => Promise<Result>): Promise<Result> =>
    withSignIn(action, signIn, (error) => error instanceof UnauthorizedError);
  try {
    await signingIn(async () => {
      client = new Client({ name: "conformance", version: "1.0.0" });
      transport = new StreamableHTTPClientTransport(run.url, { authProvider });
      await client.connect(transport);
    });
    await signingIn(() => client.listTools());
    const { content } = await signingIn(() => client.callTool({ name: TOOL, arguments: {} }));
    return (content as { text?: string }[])[0]?.text;
  } finally {
    await client.close();
    person.close();
  }
}
