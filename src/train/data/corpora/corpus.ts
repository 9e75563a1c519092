// What a corpus' adapter tells `prepare`: every sample with its media and labels, read from the corpus' own folders and
// label files. Adapters only list; decoding, cropping and writing are prepare's.
import type { SampleMeta } from '../sample.ts';

/** Where a sample's pictures come from. */
export type PictureSource =
  /** A video file; startMs and endMs (default: all of it) cut a part, `region` (fractions of the picture) a speaker. */
  | {
      readonly kind: 'video';
      readonly path: string;
      readonly startMs?: number;
      readonly endMs?: number;
      readonly region?: {
        readonly x: number;
        readonly y: number;
        readonly width: number;
        readonly height: number;
      };
    }
  /** Image files in the order of time; one is a still. */
  | { readonly kind: 'images'; readonly paths: readonly string[]; readonly frameRateHz: number }
  /** Pixels in memory, 0..255; shape [count, height, width, channels]. */
  | {
      readonly kind: 'pixels';
      readonly data: Uint8Array;
      readonly count: number;
      readonly height: number;
      readonly width: number;
      readonly channels: 1 | 3;
      readonly frameRateHz: number;
    };

/** A part of a sound file, or of a video file's sound; default all of it. */
export interface SoundSource {
  readonly path: string;
  readonly startMs?: number;
  readonly endMs?: number;
}

/** One sample of a corpus before it is decoded. At least one of pictures and sound is there. */
export interface CorpusItem extends Pick<
  SampleMeta,
  'key' | 'source' | 'label' | 'votes' | 'dimensions' | 'identity' | 'fold' | 'split' | 'groups'
> {
  readonly pictures: PictureSource | null;
  readonly sound: SoundSource | null;
}

/** What an adapter found. */
export interface CorpusListing {
  readonly items: readonly CorpusItem[];
  /** Rows and files left out: which, and why in words ("label XXX is none of ours"). Never silent. */
  readonly leftOut: readonly LeftOut[];
  /** Classes and dimensions where they depend on the options or the label file; default the corpus' own. */
  readonly classes?: readonly string[];
  readonly dimensions?: readonly string[];
}

/** A row or file that is not listed (or, if a part of a sample is missing, listed without it), and why. */
export interface LeftOut {
  readonly source: string;
  readonly why: string;
}

/** Something an adapter can be told beside its folder. */
export interface CorpusOption {
  /** Its key in `list`'s options, as typed on the command line without `--`: `labels-file`. */
  readonly name: string;
  /** One line for --help: what it takes, and the default. */
  readonly about: string;
}

/** A corpus that prepare can read. */
export interface Corpus {
  /** As typed on the command line: `crema-d`. */
  readonly name: string;
  /** One line for --help: what it is and which folder and label files are wanted. */
  readonly about: string;
  /** Its classes by our names, in the order of the official code's labels; empty: no classes. */
  readonly classes: readonly string[];
  /** Its dimensions in order; empty: none. */
  readonly dimensions: readonly string[];
  /** What `list` can be told; left out: nothing. */
  readonly options?: readonly CorpusOption[];
  /**
   * @param options of adapters that need more than a folder (the label file of a CSV); by name
   * @throws Problem when the folder is not laid out so: what was looked for, what is there, what to do
   */
  list(folder: string, options: Readonly<Record<string, string>>): Promise<CorpusListing>;
}
