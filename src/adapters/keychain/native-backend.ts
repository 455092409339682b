import type { Clock } from "../../core/clock.ts";
import type { KeychainBackend } from "./backend.ts";
import { OneAtATime } from "./deadline.ts";
import { toKeychainFailure } from "./failure.ts";
import { HelperProcess, type HelperProgram, type HelperRequest, HelperUnavailable } from "./helper-process.ts";
import { locateNativeKeyring } from "./helper-program.ts";
import { inProcessBackend, loadNativeKeyring } from "./in-process-backend.ts";

/** What the default backend needs. */
export interface NativeBackendOptions {
  service: string;
  clock: Clock;
  deadlineMs: number;
  /** The program for the helper, or `undefined` to call the keychain from this process. */
  program: HelperProgram | undefined;
}

/** `@napi-rs/keyring`, in a helper process where there can be one. */
export function nativeBackend(options: NativeBackendOptions): KeychainBackend {
  const inProcess = inProcessBackend({
    ...options,
    family: "native",
    load: loadNativeKeyring,
  });
  const library = options.program === undefined ? undefined : locateNativeKeyring();
  if (options.program === undefined || library === undefined) return inProcess;

  const helper = new HelperProcess({ ...options, program: options.program, library });
  const line = new OneAtATime();
  let isHelperUnavailable = false;

  const perform = (request: Omit<HelperRequest, "service">): Promise<string | boolean | null> =>
    line.run(async () => {
      if (!isHelperUnavailable) {
        try {
          return await helper.request({ ...request, service: options.service });
        } catch (error) {
          if (!(error instanceof HelperUnavailable)) throw toKeychainFailure(error, request.password);
          // A sandbox may forbid child processes.
          isHelperUnavailable = true;
        }
      }
      const { operation, account, password = "" } = request;
      if (operation === "get") return inProcess.get(account);
      if (operation === "delete") return inProcess.delete(account);
      await inProcess.set(account, password);
      return null;
    });

  startEarly(helper);
  return {
    family: inProcess.family,
    get: async (account) => (await perform({ operation: "get", account })) as string | null,
    set: async (account, password) => {
      await perform({ operation: "set", account, password });
    },
    delete: async (account) => (await perform({ operation: "delete", account })) === true,
    close: () => helper.stop(),
  };
}

/** Node needs some 70 ms to start, during which the host can go on with its own start. */
function startEarly(helper: HelperProcess): void {
  try {
    helper.start();
  } catch {
    // The first request will fall back.
  }
}
