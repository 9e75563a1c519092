// What a clip is: the one unit that capture cuts, training samples and the model reads.

/** How frames become the model's values (`normalizeFrames`); the gray ones are for models trained on gray faces. */
export type FrameColor = 'rgb' | 'gray' | 'gray-standardized';

/** What is done about a sound shorter than a clip, and about pauses around speech; see ClipSpec. */
export type ShortSound = 'official' | 'silence' | 'speech';

/** How a model's clips are cut; part of every model's manifest. */
export interface ClipSpec {
  /** T, frames in a clip. */
  readonly frameCount: number;
  /** Milliseconds between consecutive frames. */
  readonly frameIntervalMs: number;
  /** Side of the square, aligned face crop in pixels. */
  readonly cropPx: number;
  readonly color: FrameColor;
  /** Sound's sample rate in Hz. */
  readonly sampleRateHz: number;
  /** Length of the sound in milliseconds. */
  readonly soundMs: number;
  /** Mel bins centered above this frequency hold the log floor (training data ended there); null keeps all. */
  readonly bandLimitHz: number | null;
  /**
   * The training speakers' usual log-mel spectrum, ln of the energy, [M]: each speaker's usual one is brought to it
   * (usual-voice.ts), since loudness and color tell of emotion but microphones, rooms and throats differ. null leaves sound
   * as it is.
   */
  readonly usualSpectrum: readonly number[] | null;
  /**
   * What is read of a sound. `official`: all, and zero rows stand behind the spectrogram of one shorter than soundMs.
   * `silence`: all, a shorter one in the middle of silence. `speech`: likewise, and what lies before the first and after the
   * last speech is left out (spoken.ts), since pauses tell nothing and no two corpora have alike ones.
   */
  readonly shortSound: ShortSound;
  /** Whether a face is read a second time, mirrored; the mean of both probabilities counts. */
  readonly mirrorView: boolean;
}

/** The official HiCMAE clip: 16 frames, 4 of 25 fps apart; 2.56 s of 16 kHz sound. */
export const officialClipSpec: ClipSpec = {
  frameCount: 16,
  frameIntervalMs: 160,
  cropPx: 160,
  color: 'rgb',
  sampleRateHz: 16000,
  soundMs: 2560,
  bandLimitHz: null,
  usualSpectrum: null,
  shortSound: 'official',
  mirrorView: false,
};

/** One clip. An absent modality is null: no face was seen, or no voice was heard. At least one is present. */
export interface Clip {
  /** When the clip ends, milliseconds on the source's clock. */
  readonly endMs: number;
  /** Aligned face crops, RGB 0..255; shape [T, H, W, 3]. */
  readonly frames: Uint8ClampedArray | null;
  /** Mono sound, -1..1; soundMs long, newest last. */
  readonly samples: Float32Array | null;
  /** Added to ln of the sound's energies, so that the speaker's usual voice is as the model's: [M]; null: as it is. */
  readonly equalizer: Float32Array | null;
}
