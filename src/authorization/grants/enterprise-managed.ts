import { McpOAuthError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { requireSecureUrl } from "../../core/url.ts";
import { configuredClient } from "../../endpoint/configured-client.ts";
import { type IdentityAssertion, requestIdentityAssertion } from "../../endpoint/identity-assertion-request.ts";
import type { EnterpriseManagedGrant, SubjectToken } from "../machine-grants.ts";
import { exchangeAssertion, requireJwtBearer } from "./jwt-bearer.ts";
import type { GrantedTokens, MachineContext } from "./machine-context.ts";

/** Assertions are not sent in their last seconds: they would end on the way. */
const MARGIN_MS = 5000;

/**
 * Enterprise-managed authorization with its ladder: the assertion is used again until it ends, then exchanged again for
 * the same sign-on, then for a new sign-on. Assertions are kept in memory only, each for one issuer, resource and account.
 */
export class EnterpriseManagedAuthorization {
  readonly #assertions = new Map<string, IdentityAssertion>();
  readonly #subjects = new WeakMap<EnterpriseManagedGrant, SubjectToken>();

  /**
   * @throws `token_request_failed` where the provider or the server says no: there is no silent way around it.
   */
  async grant(context: MachineContext, grant: EnterpriseManagedGrant): Promise<GrantedTokens> {
    requireJwtBearer(context);
    const client = configuredClient(grant.client, context.authorizationServer);
    const name = JSON.stringify([client.issuer, context.resource, context.account, context.scope]);
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

  async #assertionFor(context: MachineContext, grant: EnterpriseManagedGrant): Promise<IdentityAssertion> {
    const known = this.#subjects.get(grant);
    if (known !== undefined) {
      try {
        return await this.#requestAssertion(context, grant, known);
      } catch (error) {
        // Only an ended sign-on is replaced by a new one; a policy's no is a no.
        const ended =
          error instanceof McpOAuthError &&
          (error.oauthError === "invalid_grant" || error.oauthError === "insufficient_user_authentication");
        if (!ended) throw error;
      }
    }
    const subject = await grant.subjectToken({ reason: known === undefined ? "first" : "expired" });
    const assertion = await this.#requestAssertion(context, grant, subject);
    this.#subjects.set(grant, subject);
    return assertion;
  }

  #requestAssertion(
    context: MachineContext,
    { identityProvider }: EnterpriseManagedGrant,
    subject: SubjectToken,
  ): Promise<IdentityAssertion> {
    const { server, authorizationServer, resource, scope } = context;
    const tokenEndpoint = requireSecureUrl(identityProvider.tokenEndpoint, "The identity provider's token endpoint", {
      server,
    });
    const provider = {
      issuer: identityProvider.issuer ?? tokenEndpoint.origin,
      token_endpoint: identityProvider.tokenEndpoint,
    };
    const { dpopKey: _notForTheProvider, ...endpoint } = context;
    return requestIdentityAssertion(
      { ...endpoint, authorizationServer: provider, client: configuredClient(identityProvider, provider) },
      {
        subjectToken: typeof subject.token === "string" ? new Secret(subject.token) : subject.token,
        subjectTokenType: subject.type ?? "id_token",
        audience: authorizationServer.issuer,
        resource,
        ...(scope !== undefined && { scope }),
      },
    );
  }
}
