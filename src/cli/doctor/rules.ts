import type { Rule } from "./diagnosis.ts";

const MCP = "https://modelcontextprotocol.io/specification/2026-07-28/basic";

/** A section of an RFC. */
export function rfc(number: number, section: string): Rule {
  return {
    source: `RFC ${number} section ${section}`,
    url: `https://www.rfc-editor.org/rfc/rfc${number}#section-${section}`,
  };
}

/** A page of the MCP specification's part on authorization. */
export function mcp(page: keyof typeof pages): Rule {
  return { source: `MCP 2026-07-28 ${pages[page].name}`, url: `${MCP}/${pages[page].path}` };
}

const pages = {
  authorization: { name: "authorization", path: "authorization" },
  discovery: {
    name: "authorization server discovery",
    path: "authorization/authorization-server-discovery",
  },
  registration: { name: "client registration", path: "authorization/client-registration" },
  security: { name: "security considerations", path: "authorization/security-considerations" },
  transport: { name: "transports", path: "transports" },
} as const;

/** The revision in which MCP servers were their own authorization servers. */
export const mcp2025March: Rule = {
  source: "MCP 2025-03-26 authorization",
  url: "https://modelcontextprotocol.io/specification/2025-03-26/basic/authorization",
};

export const openidDiscovery: Rule = {
  source: "OpenID Connect Discovery 1.0 section 4",
  url: "https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig",
};

export const clientIdMetadataDocument: Rule = {
  source: "draft-ietf-oauth-client-id-metadata-document section 5",
  url: "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document#section-5",
};

export const oauth21Transport: Rule = {
  source: "OAuth 2.1 section 1.5",
  url: "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1#section-1.5",
};
