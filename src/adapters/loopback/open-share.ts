import type { PendingRedirect, RedirectOptions } from "../../ports/redirect-receiver.ts";
import { type ListenAddress, parseRedirectOptions } from "./address.ts";
import { Listener, type ShareOptions } from "./listener.ts";

/** The listeners of this process by their address. Sign-ins that want the same address share one. */
const listeners = new Map<string, Promise<Listener>>();

async function shareOf(address: ListenAddress, options: ShareOptions): Promise<PendingRedirect> {
  const running = listeners.get(address.key);
  const starting = running ?? Listener.start(address);
  listeners.set(address.key, starting);
  const forget = (): void => {
    if (listeners.get(address.key) === starting) listeners.delete(address.key);
  };
  try {
    const pending = (await starting).share(options);
    if (pending !== undefined) return pending;
  } catch (error) {
    forget();
    throw error;
  }
  // Its last sign-in has ended in the meantime, so it has stopped.
  forget();
  return shareOf(address, options);
}

/** A sign-in's share of the listener at its address, which is started if it is not running. */
export async function openShare(redirect: RedirectOptions, options: ShareOptions): Promise<PendingRedirect> {
  return shareOf(parseRedirectOptions(redirect), options);
}
