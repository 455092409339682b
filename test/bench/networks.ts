// How far the servers are away where times are compared. What a contestant saves in round trips counts for more the farther they
// are, and what it costs in processor time for less; so such times are measured at two distances.

/** How long each request is under way before the server looks at it, and whether the targets are about this distance. */
export interface Network {
  readonly delayMs: number;
  readonly isJudged: boolean;
}

/** A server nearby, and what is closer to one on the Internet, with its way there and its work. */
export const NETWORKS: readonly Network[] = [
  { delayMs: 50, isJudged: false },
  { delayMs: 100, isJudged: true },
];

/** For the names of measures. */
export const at = ({ delayMs }: Network): string => `at ${delayMs} ms a request`;

/** For the texts about benches. */
export const EACH_REQUEST: string = `${NETWORKS.map(({ delayMs }) => delayMs).join(" or ")} ms for each request`;

/** The limit of a ratio, where it is one that targets are about. */
export const limitAt = ({ isJudged }: Network, limit: number): number | undefined => (isJudged ? limit : undefined);
