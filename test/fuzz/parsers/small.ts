import assert from "node:assert/strict";
import fc from "fast-check";
import { watchForEndpoint } from "../../../src/attach/sse-endpoint.ts";
import { canonicalServerUrl } from "../../../src/core/url.ts";
import {
  clientMetadataDocument,
  lintClientMetadataDocument,
} from "../../../src/registration/metadata-document-tools.ts";
import { mutatedJson } from "../generate-json.ts";
import { hostilePieces, mutatedText } from "../generate-text.ts";
import { fuzzTarget } from "../target.ts";

const urlPieces = [
  ...hostilePieces,
  ...["HTTPS://", "@", ":443", ":80", ":99999", "/../", "/./", "//", "\\", "[::1]", "0x7f.1", "xn--", "?", "#", "。"],
];
const servers = fc.constantFrom(
  "https://mcp.example.com",
  "https://MCP.example.com:443/Mcp/?a=b#c",
  "http://127.0.0.1:8080/mcp",
  "https://[2001:db8::1]/mcp/",
);

export const serverUrl = fuzzTarget<string>("server URL", mutatedText(servers, urlPieces), () => ({
  read(text) {
    const canonical = canonicalServerUrl(text);
    assert.equal(canonicalServerUrl(canonical), canonical);
    assert.match(canonical, /^https?:\/\/[^/?#@\s]+[^#\s]*$/);
    const [given, made] = [new URL(text), new URL(canonical)];
    assert.deepEqual([made.origin, made.pathname, made.search], [given.origin, given.pathname, given.search]);
    return canonical;
  },
}));

const DOCUMENT_URL = "https://app.example.com/client.json";
const keys = { keys: [{ kty: "EC", crv: "P-256", x: "x", y: "y" }] };
const document = fc.constantFrom(
  clientMetadataDocument({ url: DOCUMENT_URL, clientName: "Test" }),
  clientMetadataDocument({ url: DOCUMENT_URL, clientName: "Test", jwks: keys, scope: "a", deviceFlow: true }),
);
const NOT_INERT = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u;

export const clientMetadataLint = fuzzTarget<string>(
  "client metadata document",
  mutatedJson(document, {
    names: [
      ...[
        "client_id",
        "client_name",
        "redirect_uris",
        "grant_types",
        "token_endpoint_auth_method",
        "jwks",
        "keys",
        "d",
      ],
      ...["token_endpoint_auth_methods_supported", "client_secret", "application_type", "jwks_uri"],
    ],
    pieces: ["http://127.0.0.1:80/callback", "https://app.example.com/cb#x", "client_secret_basic", "private_key_jwt"],
  }),
  () => ({
    read(text) {
      const findings = lintClientMetadataDocument(text, DOCUMENT_URL);
      for (const { level, member, message } of findings) {
        assert.ok(["error", "warning"].includes(level) && member !== "" && message !== "");
        assert.doesNotMatch(message, NOT_INERT);
        assert.ok(message.length <= 500, `a message of ${message.length} characters`);
      }
      return findings;
    },
    outcomeOf: (value) => {
      const levels = (value as { level: string }[]).map(({ level }) => level);
      if (levels.includes("error")) return "errors found";
      return levels.length > 0 ? "warnings only" : "accepted";
    },
  }),
);

const stream = fc.constantFrom(
  "event: endpoint\ndata: /messages?session=1\n\nevent: message\ndata: {}\n\n",
  ": hello\r\n\r\nretry: 5\r\nevent:endpoint\r\ndata:https://mcp.example.com/m\r\n\r\n",
  "\ufeffid: 1\rdata: /m\revent: endpoint\r\r",
  "event: message\ndata: x\n\n",
);
const streamPieces = [
  ...hostilePieces,
  "\n",
  "\n\n",
  "\r",
  "\r\n",
  "event: endpoint\n",
  "data: ",
  ":",
  "event: endpoints",
];

interface Stream {
  readonly text: string;
  readonly cuts: readonly number[];
}

/** The bytes in pieces, as a network would cut them: in the middle of a character too. */
function piecesOf({ text, cuts }: Stream): Uint8Array[] {
  const bytes = new TextEncoder().encode(text);
  const edges = [0, ...cuts.map((cut) => Math.floor((bytes.length * cut) / 1000)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

export const sseEndpoint = fuzzTarget<Stream>(
  "SSE endpoint event",
  fc.record({
    text: mutatedText(stream, streamPieces),
    cuts: fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 5 }),
  }),
  () => ({
    async read(input) {
      const told: string[] = [];
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of piecesOf(input)) controller.enqueue(piece);
          controller.close();
        },
      });
      const passed = await watchForEndpoint(new Response(body), (endpoint) => told.push(endpoint)).arrayBuffer();
      assert.ok(Buffer.from(passed).equals(Buffer.from(input.text, "utf8")), "the stream was changed");
      assert.ok(told.length <= 1 && told.every((endpoint) => !/[\r\n]/.test(endpoint)));
      return told[0];
    },
  }),
);
