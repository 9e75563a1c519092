// How sure a model may say it is: what `calibrate` measured on held-out data, and how page and trainer apply it.

/** What a clip holds. */
export type InputKind = 'face' | 'voice' | 'both';

/** Of models that name classes. */
export interface ModelCalibration {
  /** Divides the head's outputs before the softmax, above 0; more than 1 makes a model less sure. One for each kind of clip. */
  readonly temperature: Readonly<Record<InputKind, number>>;
  /** A reading whose greatest calibrated probability is below this, 0..1, is uncertain. 0: none ever is. */
  readonly uncertainBelow: number;
}

export const inputKinds: readonly InputKind[] = ['face', 'voice', 'both'];

/** What is read instead of a label. */
export const uncertainLabel = 'uncertain';

/** Of a clip that has at least one of the two. */
export function kindOf(parts: { readonly face: boolean; readonly voice: boolean }): InputKind {
  return parts.face && parts.voice ? 'both' : parts.face ? 'face' : 'voice';
}

/** The temperature for a clip of this kind; 1 without a calibration. */
export function temperatureFor(calibration: ModelCalibration | undefined, kind: InputKind): number {
  return calibration?.temperature[kind] ?? 1;
}
