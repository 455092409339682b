// oidc-provider greets Node 20 with a warning although it runs there; a demo that opens with it looks broken.
type OidcProviderModule = typeof import("oidc-provider");

let loaded: Promise<OidcProviderModule> | undefined;

export function loadOidcProvider(): Promise<OidcProviderModule> {
  loaded ??= loadQuietly();
  return loaded;
}

async function loadQuietly(): Promise<OidcProviderModule> {
  const { warn } = console;
  console.warn = (...args) => void (String(args[0]).includes("oidc-provider") || warn.apply(console, args));
  try {
    return await import("oidc-provider");
  } finally {
    console.warn = warn;
  }
}
