// The login and consent step of oidc-provider, with our own pages.
import type { IncomingMessage, ServerResponse } from "node:http";
import type Provider from "oidc-provider";
import type { InteractionDetails, OidcClient } from "oidc-provider";
import { readForm, sendHtml } from "./http.ts";
import { consentPage, loginPage, messagePage } from "./pages.ts";

export async function handleInteraction(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let details: InteractionDetails;
  try {
    details = await provider.interactionDetails(request, response);
  } catch {
    // The person came back to a page whose sign-in is over, or without the cookie it set.
    sendHtml(response, 400, messagePage("Sign-in expired", "Start again from the application."));
    return;
  }
  if (request.method === "POST") return submit(provider, details, request, response);
  const client = await provider.Client.find(String(details.params.client_id));
  sendHtml(
    response,
    200,
    details.prompt.name === "login"
      ? loginPage({ clientName: nameOf(client) })
      : consentPage(consentOf(details, client)),
  );
}

async function submit(
  provider: Provider,
  details: InteractionDetails,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const form = await readForm(request);
  if (form.get("decision") === "deny") {
    const denied = { error: "access_denied", error_description: "the person said no" };
    return provider.interactionFinished(request, response, denied, { mergeWithLastSubmission: false });
  }
  if (details.prompt.name === "login") {
    const login = { login: { accountId: form.get("login") || "someone" } };
    return provider.interactionFinished(request, response, login, { mergeWithLastSubmission: false });
  }
  const consent = { consent: { grantId: await grant(provider, details) } };
  return provider.interactionFinished(request, response, consent, { mergeWithLastSubmission: true });
}

// A grant for every sign-in: a reused one would let one sign-in's revocation end another's.
async function grant(provider: Provider, details: InteractionDetails): Promise<string> {
  const granted = new provider.Grant({
    accountId: details.session?.accountId ?? "someone",
    clientId: String(details.params.client_id),
  });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = details.prompt.details;
  if (missingOIDCScope) granted.addOIDCScope(missingOIDCScope.join(" "));
  if (missingOIDCClaims) granted.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {}))
    granted.addResourceScope(resource, scopes.join(" "));
  return granted.save();
}

function consentOf(
  details: InteractionDetails,
  client: OidcClient | undefined,
): { clientName: string; scopes: string[]; resources: string[] } {
  const { scope, resource } = details.params;
  const scopes = typeof scope === "string" ? scope.split(" ").filter(Boolean) : [];
  const resources = [resource ?? []].flat().map(String);
  return { clientName: nameOf(client), scopes, resources };
}

function nameOf(client: OidcClient | undefined): string {
  return client?.clientName ?? client?.clientId ?? "an unknown application";
}
