// The child's end of questions and answers between processes.

interface Question {
  readonly id: number;
  readonly method: string;
  readonly given: unknown[];
}

/** Answers the parent's questions with these functions, each in its own time. */
export function answer(methods: object): void {
  const functions = methods as Record<string, ((...given: unknown[]) => unknown) | undefined>;
  process.on("message", async ({ id, method, given }: Question) => {
    try {
      process.send?.({ id, value: await functions[method]?.(...given) });
    } catch (error) {
      process.send?.({ id, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  // Whatever happened to the parent, nothing stays behind.
  process.on("disconnect", () => process.exit());
}
