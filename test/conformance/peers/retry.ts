/** Does something, and once more after a sign-in where it asked for one: the loop that the SDKs leave to their hosts. */
export async function withSignIn<Result>(
  action: () => Promise<Result>,
  signIn: () => Promise<void>,
  isUnauthorized: (error: unknown) => boolean,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    if (!isUnauthorized(error)) throw error;
    await signIn();
    return action();
  }
}
