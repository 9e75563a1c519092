// models/<name>/manifest.json: what the weights are, how to feed them, and how to know they arrived whole.
import type { ClipSpec } from '../clip/spec.ts';
import type { HicmaeConfig } from '../model/config.ts';

export interface WeightFile {
  /** Relative to the manifest. */
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export interface Manifest {
  readonly format: 'hicmae-1';
  readonly name: string;
  readonly config: HicmaeConfig;
  /** In the order of the logits; as many as config.classCount. */
  readonly labels: readonly string[];
  readonly clip: ClipSpec;
  /** Trained with modality dropout: a face alone or a voice alone can be read. */
  readonly missingModalities: boolean;
  readonly files: readonly WeightFile[];
  /** Data, command, commit, seed, time, scores: free text by key. */
  readonly provenance: Readonly<Record<string, string>>;
}
