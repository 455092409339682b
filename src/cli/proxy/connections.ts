import { Agent, EnvHttpProxyAgent, setGlobalDispatcher } from "undici";

const PROXY_VARIABLES = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];

/**
 * Makes `fetch` fit for MCP: a tool may take longer than the five minutes after which it gives up, a stream may be
 * silent for hours, and the way out may lead through a proxy.
 */
export function connectPatiently(environment: Readonly<Record<string, string | undefined>>): void {
  const patience = { headersTimeout: 0, bodyTimeout: 0 };
  const behindProxy = PROXY_VARIABLES.some((name) => (environment[name] ?? "") !== "");
  setGlobalDispatcher(behindProxy ? new EnvHttpProxyAgent(patience) : new Agent(patience));
}
