import { SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import { StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { expect, it } from "vitest";
import { z } from "zod";
import { CommandFailed } from "../../../src/cli/command-failed.ts";
import { exitCodes } from "../../../src/cli/exit-codes.ts";
import { inOurWords } from "../../../src/cli/sdk/in-our-words.ts";

const server = "https://mcp.example.com/mcp";
const unusable = new SyntaxError("Unexpected end of JSON input");
const wrapped = new SdkError(
  SdkErrorCode.EraNegotiationFailed,
  "Version negotiation probe failed",
  {},
  { cause: unusable },
);
const schemaError = z.object({ tools: z.array(z.string()) }).safeParse({}).error;

it.each([
  ["an answer that is no JSON", unusable, ": Unexpected end of JSON input"],
  ["the same, wrapped by SDK v2", wrapped, ": Unexpected end of JSON input"],
  ["a page", new StreamableHTTPError(-1, "Unexpected content type: text/html"), "Unexpected content type: text/html"],
  ["a result of another shape", schemaError, "mcp.example.com answered with what is not MCP."],
])("%s is the server's fault, and the doctor knows more", (_, error, says) => {
  const failed = inOurWords(error, server);
  expect(failed).toMatchObject({ exitCode: exitCodes.serverFault, details: { code: "invalid_response" } });
  const { message, hint } = failed as CommandFailed;
  expect(message).toContain(says);
  expect(message).not.toContain("\n");
  expect(hint).toBe(`Find out why: mcp-oauth doctor ${server}`);
});

it("what the server says in JSON-RPC is told as its own", () => {
  const failed = inOurWords(new McpError(-32_602, "No such tool"), server);
  expect(failed).toMatchObject({
    exitCode: exitCodes.failure,
    message: "mcp.example.com answered with an error: No such tool",
    details: { code: "server_error", rpcCode: -32_602 },
  });
});

it("an HTTP status and a network that fails are told apart from that", () => {
  const status = inOurWords(new StreamableHTTPError(502, "Bad gateway"), server);
  expect(status).toMatchObject({ exitCode: exitCodes.serverFault, details: { code: "http_error", status: 502 } });
  const cause = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  const network = inOurWords(new TypeError("fetch failed", { cause }), server);
  expect(network).toMatchObject({ exitCode: exitCodes.network, details: { code: "network_failed" } });
  const closed = inOurWords(new SdkError(SdkErrorCode.ConnectionClosed, "Connection closed"), server);
  expect(closed).toMatchObject({ exitCode: exitCodes.network, details: { code: "network_failed" } });
});

it("what is in our words already stays as it is", () => {
  const own = new CommandFailed("No such tool.", exitCodes.failure);
  expect(inOurWords(own, server)).toBe(own);
});
