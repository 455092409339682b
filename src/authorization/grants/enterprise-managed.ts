import { McpOAuthError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { requireSecureUrl } from "../../core/url.ts";
import { waitFor } from "../../core/wait-for.ts";
import { ownIssuer } from "../../endpoint/authorization-server.ts";
import { configuredClient } from "../../endpoint/configured-client.ts";
import {
  type IdentityAssertion,
  requestIdentityAssertion,
  requestSignOnRefreshToken,
  SignOnWantedError,
  type SubjectProof,
} from "../../endpoint/identity-assertion-request.ts";
import type { EndpointContext } from "../../endpoint/token-request.ts";
import type { EnterpriseManagedGrant, SubjectToken, SubjectTokenRequest } from "../machine-grants.ts";
import { exchangeAssertion, requireJwtBearer } from "./jwt-bearer.ts";
import type { GrantedTokens, MachineContext } from "./machine-context.ts";

const ID_JAG_PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag";
/** Assertions are not sent in their last seconds: they would end on the way. */
const MARGIN_MS = 5000;

/** What a sign-on gave: each proof stands for the user when the ones before it have ended. */
type SignOn = readonly SubjectProof[];

type WantedSignOn = Omit<SubjectTokenRequest, "signal">;

/** Either an assertion and what is left of the sign-on, or what a new sign-on is to be asked for. */
type Outcome =
  | { readonly assertion: IdentityAssertion; readonly signOn: SignOn }
  | { readonly wanted: WantedSignOn; readonly refusal?: McpOAuthError };

function secretOf(token: string | Secret): Secret {
  return typeof token === "string" ? new Secret(token) : token;
}

/** The identity provider as an endpoint. Its tokens are not bound to our key: they are not for the MCP server. */
function providerEndpoint(context: MachineContext, { identityProvider }: EnterpriseManagedGrant): EndpointContext {
  const { server } = context;
  const what = "The identity provider's token endpoint";
  const tokenEndpoint = requireSecureUrl(identityProvider.tokenEndpoint, what, { server });
  const provider = {
    issuer: identityProvider.issuer ?? tokenEndpoint.origin,
    token_endpoint: identityProvider.tokenEndpoint,
  };
  const { dpopKey: _notForTheProvider, ...endpoint } = context;
  return { ...endpoint, authorizationServer: provider, client: configuredClient(identityProvider, provider) };
}

/**
 * Enterprise-managed authorization with its ladder: the assertion is used again until it ends, then exchanged again for the
 * same sign-on, then for the refresh token that came with it, then for a new sign-on. Assertions are kept in memory only,
 * each for one issuer, resource and account.
 */
export class EnterpriseManagedAuthorization {
  readonly #assertions = new Map<string, IdentityAssertion>();
  readonly #signOns = new WeakMap<EnterpriseManagedGrant, Map<string, SignOn>>();

  /**
   * @throws `token_request_failed` where the provider or the server says no: there is no silent way around it.
   */
  async grant(context: MachineContext, grant: EnterpriseManagedGrant): Promise<GrantedTokens> {
    requireJwtBearer(context, ID_JAG_PROFILE);
    const client = configuredClient(grant.client, context.authorizationServer);
    const name = JSON.stringify([client.issuer, context.resource, context.account, client.clientId, context.scope]);
    const kept = this.#assertions.get(name);
    if (kept !== undefined && kept.expiresAt - MARGIN_MS > context.clock.now()) {
      try {
        return { client, tokens: await this.#exchange(context, kept, client) };
      } catch (error) {
        if (!(error instanceof McpOAuthError) || error.oauthError !== "invalid_grant") throw error;
      }
    }
    this.#assertions.delete(name);
    const assertion = await this.#assertionFor(context, grant);
    const tokens = await this.#exchange(context, assertion, client);
    this.#assertions.set(name, assertion);
    return { client, tokens };
  }

  #exchange(
    context: MachineContext,
    { assertion, scope }: IdentityAssertion,
    client: GrantedTokens["client"],
  ): Promise<GrantedTokens["tokens"]> {
    // Asked for again here: the server grants what both the assertion and the request have.
    return exchangeAssertion({ ...context, scope: scope ?? context.scope }, assertion, client);
  }

  /** An assertion, for the sign-on that there is or for a new one. A provider that wants a stronger one is asked again, once. */
  async #assertionFor(context: MachineContext, grant: EnterpriseManagedGrant): Promise<IdentityAssertion> {
    const accounts = this.#signOns.get(grant) ?? new Map<string, SignOn>();
    this.#signOns.set(grant, accounts);
    let signOn = accounts.get(context.account) ?? [];
    const { signal } = context;
    let asked: WantedSignOn | undefined;
    for (;;) {
      const outcome = await this.#climb(context, grant, signOn);
      if ("assertion" in outcome) {
        accounts.set(context.account, outcome.signOn);
        return outcome.assertion;
      }
      const mayAsk =
        asked === undefined || (asked.reason !== "insufficient" && outcome.wanted.reason === "insufficient");
      if (!mayAsk) throw outcome.refusal;
      asked = outcome.wanted;
      const given = await waitFor(Promise.resolve(grant.subjectToken({ ...asked, signal })), signal);
      signOn = await this.#begin(context, grant, given);
    }
  }

  /** Tries one proof of a sign-on after the other. Only an ended one leads to the next; a policy's no is a no. */
  async #climb(context: MachineContext, grant: EnterpriseManagedGrant, signOn: SignOn): Promise<Outcome> {
    const { account } = context;
    let ended: McpOAuthError | undefined;
    for (const [index, subject] of signOn.entries()) {
      try {
        return { assertion: await this.#requestAssertion(context, grant, subject), signOn: signOn.slice(index) };
      } catch (error) {
        if (error instanceof SignOnWantedError)
          return { wanted: strongerSignOn(account, error), refusal: error.refusal };
        if (!(error instanceof McpOAuthError) || error.oauthError !== "invalid_grant") throw error;
        ended = error;
      }
    }
    return ended === undefined
      ? { wanted: { reason: "first", account } }
      : { wanted: { reason: "expired", account }, refusal: ended };
  }

  async #begin(context: MachineContext, grant: EnterpriseManagedGrant, given: SubjectToken): Promise<SignOn> {
    const subject = { token: secretOf(given.token), type: given.type ?? "id_token" };
    if (subject.type === "saml2" && grant.exchangeSaml === true) {
      const endpoint = providerEndpoint(context, grant);
      return [
        await requestSignOnRefreshToken(endpoint, subject).catch((error: unknown) => {
          throw error instanceof SignOnWantedError ? error.refusal : error;
        }),
      ];
    }
    if (given.refreshToken === undefined) return [subject];
    return [subject, { token: secretOf(given.refreshToken), type: "refresh_token" }];
  }

  #requestAssertion(
    context: MachineContext,
    grant: EnterpriseManagedGrant,
    subject: SubjectProof,
  ): Promise<IdentityAssertion> {
    const { authorizationServer, resource, scope } = context;
    return requestIdentityAssertion(providerEndpoint(context, grant), {
      subject,
      audience: ownIssuer(authorizationServer),
      resource,
      ...(scope !== undefined && { scope }),
    });
  }
}

function strongerSignOn(account: string, { maxAgeSeconds, acrValues }: SignOnWantedError): WantedSignOn {
  return {
    reason: "insufficient",
    account,
    ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
    ...(acrValues !== undefined && { acrValues }),
  };
}
