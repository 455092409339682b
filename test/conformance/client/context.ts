/** What the suite tells the client about a scenario, in MCP_CONFORMANCE_CONTEXT. Everything is optional: each has some. */
interface SuiteContext {
  readonly issuer?: string;
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly private_key_pem?: string;
  readonly signing_algorithm?: string;
  readonly idp_client_id?: string;
  readonly idp_id_token?: string;
  readonly idp_issuer?: string;
  readonly idp_token_endpoint?: string;
  readonly valid_jwt?: string;
}

/** One run of a client program. */
export interface Run {
  /** The scenario's name, without `auth/`. */
  readonly scenario: string;
  /** The MCP server. */
  readonly url: URL;
  /** The protocol version that the server speaks. */
  readonly protocolVersion: string;
  readonly context: SuiteContext;
}

/** The client ID metadata document that the suite expects. */
export const CLIENT_METADATA_URL = "https://conformance-test.local/client-metadata.json";

/** The tool that every scenario's server has, and what it answers. */
export const TOOL = "test-tool";
export const TOOL_ANSWER = "test";

/** What the suite put into the environment and on the command line. */
export function readRun(): Run {
  const { MCP_CONFORMANCE_SCENARIO = "", MCP_CONFORMANCE_PROTOCOL_VERSION, MCP_CONFORMANCE_CONTEXT } = process.env;
  const context = JSON.parse(MCP_CONFORMANCE_CONTEXT ?? "{}") as SuiteContext & { name?: string };
  if (context.name !== undefined && context.name !== MCP_CONFORMANCE_SCENARIO) {
    throw new Error(`the context is that of ${context.name}, not of ${MCP_CONFORMANCE_SCENARIO}`);
  }
  return {
    scenario: MCP_CONFORMANCE_SCENARIO.replace(/^auth\//, ""),
    url: new URL(process.argv.at(-1) ?? ""),
    protocolVersion: MCP_CONFORMANCE_PROTOCOL_VERSION ?? "2025-11-25",
    context,
  };
}
