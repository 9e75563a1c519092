// Errors a person can act on: each says what was got, what was wanted and what to do.

/**
 * What went wrong, for code to branch on. The message is for people.
 * `internal` marks our own bugs.
 */
export type ProblemKind =
  | 'permission-denied'
  | 'no-camera'
  | 'no-microphone'
  | 'device-busy'
  | 'device-lost'
  | 'insecure-context'
  | 'unsupported-file'
  | 'demo-missing'
  | 'model-missing'
  | 'model-invalid'
  | 'face-detector-failed'
  | 'worker-failed'
  | 'timeout'
  | 'internal';

/** A failure with a kind; it survives a worker boundary as `{ kind, message }`. */
export class Problem extends Error {
  readonly kind: ProblemKind;
  constructor(kind: ProblemKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Problem';
    this.kind = kind;
  }
}

/** Any thrown value as a Problem; a value that is not one already is our own bug. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Problem('internal', message.startsWith('internal: ') ? message : `internal: ${message}`, {
    cause: error,
  });
}
