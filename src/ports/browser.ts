/**
 * Brings a URL before the user. The library has checked that it is https, or http on loopback.
 *
 * Throwing, or rejecting, means that no browser could be opened; the sign-in then goes on with what else is there (a
 * pasted URL, a device code) or fails with `browser_unavailable`.
 */
export type OpenBrowser = (url: URL) => unknown;
