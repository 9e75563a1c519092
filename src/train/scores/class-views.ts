// From the head's outputs to probabilities, as the page computes them: divided by the temperature of their kind of clip.
import { temperatureFor } from '../../weights/calibration.ts';
import type { InputKind, ModelCalibration } from '../../weights/calibration.ts';
import { meanOfRows, softmax } from './metrics.ts';

/** The head's outputs of samples. */
export interface ClassViews {
  /** Sample, view, class. */
  readonly outputs: readonly (readonly (readonly number[])[])[];
  /** What was read of each sample. */
  readonly kinds: readonly InputKind[];
}

/** Mean probabilities of each sample's views, each view divided by its temperature before. */
export function probabilitiesOf(
  { outputs, kinds }: ClassViews,
  calibration: ModelCalibration | undefined,
): number[][] {
  return outputs.map((views, i) => {
    const temperature = temperatureFor(calibration, kinds[i]!);
    return meanOfRows(views.map((view) => softmax(view.map((z) => z / temperature))));
  });
}
