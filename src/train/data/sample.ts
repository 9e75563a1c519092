// One sample of a prepared data set: what a shard holds of it, and how training and scoring read it.

/** What is known of a sample; a shard's KEY.json. */
export interface SampleMeta {
  /** Unique in its corpus: letters, digits, `_` and `-` (a shard's member names are KEY.extension). */
  readonly key: string;
  /** The corpus' name, for example `crema-d`. */
  readonly corpus: string;
  /** The file it came from, relative to the corpus' folder. */
  readonly source: string;
  /** One of the corpus' classes, by our name for it (`model/labels.ts` where it is one of ours); null: not labeled. */
  readonly label: string | null;
  /** Crowd votes by label (counts or shares, not negative); null: none. */
  readonly votes: Readonly<Record<string, number>> | null;
  /** Values by dimension (`valence`, `arousal`, `dominance`), in the corpus' own range; null: none. */
  readonly dimensions: Readonly<Record<string, number>> | null;
  /** Who is seen or heard; splits by person go by it. */
  readonly identity: string | null;
  /** Cross-validation fold, from 1; null: the corpus has none. */
  readonly fold: number | null;
  /** The corpus' own split; null: it has none. */
  readonly split: 'train' | 'valid' | 'test' | null;
  /** Groups that scores are told by: `sex`, `age`, `race`, ... */
  readonly groups: Readonly<Record<string, string>>;
  /** Face crops in the shard; 0: no face. One: a still. */
  readonly frameCount: number;
  /** Frames a second; 0 for a still or no face. */
  readonly frameRateHz: number;
  /** Side of the square face crops in pixels; 0 without. */
  readonly cropPx: number;
  /** Frames in which the detector saw the face; the rest took the nearest found place. */
  readonly foundCount: number;
  /** 16 kHz mono samples; 0: no sound. */
  readonly sampleCount: number;
}

/** Samples of one or more prepared data sets, read at random. */
export interface SampleSet {
  readonly samples: readonly SampleMeta[];
  /** Classes of the data sets, in the corpora's order, without repeats. */
  readonly classes: readonly string[];
  /**
   * Face crops of sample i.
   * @param which frame numbers, 0 to frameCount - 1; repeats are allowed
   * @returns RGB, 0..255; shape [cropPx, cropPx, 3] each, in the order asked for
   */
  frames(i: number, which: readonly number[]): Promise<Uint8ClampedArray[]>;
  /** Sound of sample i, 16 kHz mono, -1..1; null when it has none. */
  sound(i: number): Promise<Float32Array | null>;
  close(): Promise<void>;
}
