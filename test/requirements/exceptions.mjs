// Requirements that no test proves, and why not. One that a test cites does not belong here, which the check sees.

/** @type {Record<string, string>} */
export const exceptions = {
  "APP-5":
    "This package fetches no icons. A host fetches them with a plain `fetch`, which knows no token; tokens travel with `tokens.fetch` only.",
  "RUR-4": "There is no callback by `postMessage`: responses arrive at a loopback listener, or are pasted.",
};
