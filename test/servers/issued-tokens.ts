// oidc-provider stores no JWT access tokens, so nothing there could tell that one was revoked. This
// remembers which grant each came from; a grant that is gone takes its tokens with it.

const LIMIT = 50_000;

export interface IssuedToken {
  issuedAtMs: number;
  grantId: string | undefined;
}

export class IssuedTokens {
  readonly #byId = new Map<string, IssuedToken>();

  add(id: string, grantId: string | undefined): void {
    this.#byId.set(id, { issuedAtMs: Date.now(), grantId });
    if (this.#byId.size <= LIMIT) return;
    const oldest = this.#byId.keys().next();
    if (!oldest.done) this.#byId.delete(oldest.value);
  }

  get(id: string | undefined): IssuedToken | undefined {
    return id === undefined ? undefined : this.#byId.get(id);
  }

  clear(): void {
    this.#byId.clear();
  }
}
