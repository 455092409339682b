import type { MachineGrant } from "./machine-grants.ts";

/** What a client declares about an extension of MCP; none of those here has settings. */
export type ExtensionSettings = Record<string, never>;

/** The extension that a grant belongs to. Drafts, such as workload identity federation, have no identifier yet. */
const EXTENSION_OF: Partial<Record<MachineGrant["type"], string>> = {
  client_credentials: "io.modelcontextprotocol/oauth-client-credentials",
  enterprise_managed: "io.modelcontextprotocol/enterprise-managed-authorization",
};

/** The extensions of MCP that are in use with a grant: at most one, and none for the sign-in of a person. */
export function extensionsOf(grant: MachineGrant | undefined): Record<string, ExtensionSettings> {
  const identifier = grant === undefined ? undefined : EXTENSION_OF[grant.type];
  return identifier === undefined ? {} : { [identifier]: {} };
}
