import { threadId } from "node:worker_threads";
import { randomToken } from "../../core/entropy.ts";
import { fileSystem } from "../file-system.ts";

const { readFileSync, readlinkSync } = fileSystem;

/** Who holds a lock, as written into the lock's file. */
export interface LockOwner {
  readonly processId: number;
  /** When the process started, in the system's own ticks; empty where it cannot be known. Process ids are reused. */
  readonly processStart: string;
  /** Names the boot and the process id namespace in which `processId` means something. */
  readonly machine: string;
  readonly threadId: number;
  /** Random, one for each loaded copy of this module. */
  readonly instance: string;
}

/**
 * What can be said about an owner from here.
 *
 * - `dead`: it will not come back.
 * - `alive`: its process exists. It may be frozen, so that silence alone proves little.
 * - `unknown`: only its heartbeat tells (another machine or container, another thread, an unreadable file).
 */
export type OwnerState = "dead" | "alive" | "unknown";

const INSTANCE = randomToken(12);
/** Begins the name of a machine that has nothing better than its host name, which another may have as well. */
const NAMED_BY_HOST = "host ";
let self: LockOwner | undefined;

/** The owner that this module instance is. */
export function currentOwner(): LockOwner {
  self ??= {
    processId: process.pid,
    processStart: processStatus(process.pid)?.start ?? "",
    machine: machineName(),
    threadId,
    instance: INSTANCE,
  };
  return self;
}

/**
 * Judges an owner without waiting.
 *
 * @param holdsItHere whether this module instance knows itself to be holding the lock in question.
 */
export function judgeOwner(
  owner: LockOwner | undefined,
  holdsItHere: boolean,
  me: LockOwner = currentOwner(),
): OwnerState {
  if (owner === undefined) return "unknown";
  // Our own name on a lock that we do not hold: releasing it must have failed.
  if (owner.instance === me.instance) return holdsItHere ? "alive" : "dead";
  if (owner.machine !== me.machine) return "unknown";
  if (owner.processId === me.processId) return owner.processStart === me.processStart ? "unknown" : "dead";
  if (isRunning(owner)) return "alive";
  // It may run on another machine of the same name, which shares the folder.
  return me.machine.startsWith(NAMED_BY_HOST) ? "unknown" : "dead";
}

function isRunning(owner: LockOwner): boolean {
  try {
    process.kill(owner.processId, 0);
  } catch (error) {
    // EPERM means that it exists and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const status = processStatus(owner.processId);
  if (status === undefined) return true;
  // A zombie still answers to signals but will never run again.
  if (status.state === "Z" || status.state === "X") return false;
  return owner.processStart === "" || status.start === owner.processStart;
}

/** State and start time of a process, from `/proc/<pid>/stat` (proc(5)); `undefined` on systems without it. */
function processStatus(processId: number): { state: string; start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${processId}/stat`, "latin1");
    // The second field is the program's name in parentheses, in which anything can be.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [state, start] = [fields[0], fields[19]];
    return state === undefined || start === undefined ? undefined : { state, start };
  } catch {
    return undefined;
  }
}

function machineName(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return `${NAMED_BY_HOST}${process.getBuiltinModule("node:os").hostname()}`;
  }
}

/** Reads an owner out of a lock file's JSON; `undefined` for anything else. */
export function parseOwner(json: string): LockOwner | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { processId, processStart, machine, threadId, instance } = parsed as Record<string, unknown>;
  // Zero and negative ids would address process groups.
  if (typeof processId !== "number" || !Number.isInteger(processId) || processId <= 0) return undefined;
  if (typeof processStart !== "string" || typeof machine !== "string") return undefined;
  if (typeof threadId !== "number" || typeof instance !== "string") return undefined;
  return { processId, processStart, machine, threadId, instance };
}
