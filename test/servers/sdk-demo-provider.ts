// The SDK's own in-memory example provider, with what it leaves out: refresh tokens, and errors that the
// SDK's handlers can tell from a crash.
import { randomUUID } from "node:crypto";
import { DemoInMemoryAuthProvider } from "@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js";
import { InvalidGrantError, InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import type { AuthInfo } from "@modelcontextprotocol/sdk/server/auth/types.js";
import type {
  OAuthClientInformationFull,
  OAuthTokenRevocationRequest,
  OAuthTokens,
} from "@modelcontextprotocol/sdk/shared/auth.js";

interface Grant {
  clientId: string;
  access: AuthInfo;
}

export class SdkDemoProvider extends DemoInMemoryAuthProvider {
  readonly #refreshTokens = new Map<string, Grant>();
  readonly #refreshed = new Map<string, AuthInfo>();
  readonly #revoked = new Set<string>();

  override async challengeForAuthorizationCode(client: OAuthClientInformationFull, code: string): Promise<string> {
    return super.challengeForAuthorizationCode(client, code).catch((error: unknown) => {
      throw new InvalidGrantError(String(error));
    });
  }

  override async exchangeAuthorizationCode(client: OAuthClientInformationFull, code: string): Promise<OAuthTokens> {
    const tokens = await super.exchangeAuthorizationCode(client, code).catch((error: unknown) => {
      throw new InvalidGrantError(String(error));
    });
    const access = await super.verifyAccessToken(tokens.access_token);
    return { ...tokens, refresh_token: this.#issueRefreshToken({ clientId: client.client_id, access }) };
  }

  override async exchangeRefreshToken(client: OAuthClientInformationFull, refreshToken: string): Promise<OAuthTokens> {
    const grant = this.#refreshTokens.get(refreshToken);
    if (!grant || grant.clientId !== client.client_id) throw new InvalidGrantError("unknown refresh token");
    this.#refreshTokens.delete(refreshToken);
    const token = randomUUID();
    const access = { ...grant.access, token, expiresAt: Math.floor(Date.now() / 1000) + 3600 };
    this.#refreshed.set(token, access);
    const next = this.#issueRefreshToken({ clientId: grant.clientId, access });
    return {
      access_token: token,
      token_type: "bearer",
      expires_in: 3600,
      scope: access.scopes.join(" "),
      refresh_token: next,
    };
  }

  override async verifyAccessToken(token: string): Promise<AuthInfo> {
    if (this.#revoked.has(token)) throw new InvalidTokenError("revoked");
    const refreshed = this.#refreshed.get(token);
    if (refreshed) return refreshed;
    return super.verifyAccessToken(token).catch((error: unknown) => {
      throw new InvalidTokenError(String(error));
    });
  }

  async revokeToken(_client: OAuthClientInformationFull, request: OAuthTokenRevocationRequest): Promise<void> {
    this.#refreshTokens.delete(request.token);
    this.#revoked.add(request.token);
  }

  #issueRefreshToken(grant: Grant): string {
    const token = randomUUID();
    this.#refreshTokens.set(token, grant);
    return token;
  }
}
