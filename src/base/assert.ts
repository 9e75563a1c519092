// Checks of our own assumptions: a failure is a bug of this project, never of its user.

/** Throws `internal: message` unless the condition holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal: ${message}`);
}

/** The value, or an `internal:` error when it is null or undefined. */
export function defined<T>(value: T | null | undefined, name: string): T {
  assert(value !== null && value !== undefined, `${name} is missing`);
  return value;
}
