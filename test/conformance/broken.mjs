// Clients that are broken on purpose, to see that the referee and the runner do catch what they are there to catch.

/**
 * @typedef {object} BrokenClient
 * @property {string} mode what it gets wrong; client/broken.ts does it
 * @property {string} scenario
 * @property {string} caughtBy the failing check: the suite's, or one of verdict.mjs
 */

/** @type {BrokenClient[]} */
export const brokenClients = [
  { mode: "no-iss-check", scenario: "iss-wrong-issuer", caughtBy: "sep-2468-client-compare-iss-supported" },
  { mode: "no-iss-check", scenario: "iss-unexpected", caughtBy: "sep-2468-client-compare-iss-unadvertised" },
  { mode: "no-iss-check", scenario: "iss-normalized", caughtBy: "sep-2468-client-no-normalization" },
  { mode: "no-iss-check", scenario: "iss-supported-missing", caughtBy: "sep-2468-client-reject-missing-iss" },
  {
    mode: "no-metadata-issuer-check",
    scenario: "metadata-issuer-mismatch",
    caughtBy: "sep-2468-client-validate-metadata-issuer",
  },
  { mode: "no-resource-check", scenario: "resource-mismatch", caughtBy: "resource-mismatch-rejected" },
  { mode: "no-pkce-challenge", scenario: "metadata-default", caughtBy: "pkce-code-challenge-sent" },
  { mode: "no-pkce-verifier", scenario: "metadata-default", caughtBy: "pkce-code-verifier-sent" },
  { mode: "no-state", scenario: "metadata-default", caughtBy: "state-sent" },
  { mode: "no-state-check", scenario: "metadata-default", caughtBy: "forged-response-refused" },
  // The suite only warns about this one.
  { mode: "no-scope", scenario: "scope-from-www-authenticate", caughtBy: "scope-from-www-authenticate" },
  { mode: "does-nothing", scenario: "metadata-default", caughtBy: "authorization-request" },
  // In these all checks of the suite succeed, and of a client that a signal ended the referee says that it ended well.
  { mode: "exits-with-1", scenario: "metadata-default", caughtBy: "exit-code" },
  { mode: "crashes", scenario: "metadata-default", caughtBy: "client-is-content" },
  { mode: "never-ends", scenario: "metadata-default", caughtBy: "exit-code" },
];
