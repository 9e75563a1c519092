// The official learning-rate schedule: linear warm-up from zero, then a half cosine to the floor.

/** A step-wise schedule; all counts in optimizer steps. */
export interface CosineSchedule {
  /** Learning rate after the warm-up. */
  readonly base: number;
  /** Learning rate at the end. */
  readonly floor: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/**
 * The value at a step. As the official code: the warm-up is linspace(0, base, warmupSteps) with both ends, and the
 * cosine starts at base again (so base is met twice).
 */
export function cosineAt(schedule: CosineSchedule, step: number): number {
  const { base, floor, warmupSteps, totalSteps } = schedule;
  if (step < warmupSteps) return warmupSteps === 1 ? 0 : (base * step) / (warmupSteps - 1);
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return floor + 0.5 * (base - floor) * (1 + Math.cos(Math.PI * progress));
}
