// The data of a run: read, split into what is trained and what is held out, and shared with every thread.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ClipSpec } from '../../../clip/spec.ts';
import type { EncoderConfig } from '../../../model/config.ts';
import { emotions } from '../../../model/labels.ts';
import { loadFaces } from './align-faces.ts';
import type { FaceReport } from './align-faces.ts';
import type { FaceSet } from './faces.ts';
import { progress } from '../../base/progress.ts';
import { permutation, streamOf } from '../../tasks/sampler.ts';
import { sharedBytes, sharedFloats } from '../../base/shared-array.ts';
import { usualSpectrumOf } from './equalize.ts';
import { betweenPauses, equalized, listVoices, loadVoices, spectrumOf, withoutSilence } from './voices.ts';
import type { VoiceClip, VoiceSet } from './voices.ts';

/** Which data, of the commands' options. */
export interface DataOptions {
  readonly faces?: string;
  readonly voices?: string;
  /** Fold of the voices that is held out. */
  readonly fold: number;
  readonly align: 'detect' | 'as-is';
  readonly threads: number;
}

export interface TrainingData {
  readonly faces: FaceSet | null;
  readonly voices: VoiceSet | null;
  /** The trained speakers' usual voice (ClipSpec's usualSpectrum); null without voices. */
  readonly usualSpectrum: readonly number[] | null;
  /** Small, fixed subsets. */
  readonly validFaces: FaceSet | null;
  readonly validVoices: VoiceSet | null;
}

/** Side of a stored training face over the crop's: room for rotation and shift. */
const marginFactor = 4 / 3;
/** Faces, and voices, of the looks during training. */
const validationCount = 400;

/** `count` faces of a set in a fixed random order. */
function someFaces(set: FaceSet, count: number): FaceSet {
  const chosen = permutation(set.count, streamOf(0, 0, 0)).subarray(0, count);
  const size = set.sidePx ** 2;
  const classes = emotions.length;
  const gray = sharedBytes(chosen.length * size);
  const targets = sharedFloats(chosen.length * classes);
  const labels = sharedBytes(chosen.length);
  chosen.forEach((from, i) => {
    gray.set(set.gray.subarray(from * size, (from + 1) * size), i * size);
    targets.set(set.targets.subarray(from * classes, (from + 1) * classes), i * classes);
    labels[i] = set.labels[from]!;
  });
  return { count: chosen.length, sidePx: set.sidePx, gray, targets, labels };
}

function describe(report: FaceReport): string {
  const dropped = Object.entries(report.dropped).map(([why, count]) => `${String(count)} ${why}`);
  const undetected =
    report.undetected === null
      ? 'taken as they are'
      : `${String(report.undetected)} without a detected face, taken as they are`;
  return `${String(report.rows)} rows, left out: ${dropped.join(', ') || 'none'}; ${undetected}`;
}

/** Reads all data of a run into shared memory. */
export async function loadTrainingData(
  options: DataOptions,
  config: EncoderConfig,
  clip: ClipSpec,
  say: (line: string) => void,
): Promise<TrainingData> {
  let faces: FaceSet | null = null;
  let validFaces: FaceSet | null = null;
  if (options.faces !== undefined) {
    const { cropPx, patchPx } = config.video;
    const side = Math.round((cropPx * marginFactor) / patchPx) * patchPx;
    const wish = { folder: options.faces, cropPx, align: options.align } as const;
    const trained = await loadFaces({ ...wish, split: 'train', ties: 'keep', sidePx: side }, say);
    say(`faces, train: ${String(trained.set.count)} of ${describe(trained.report)}`);
    faces = trained.set;
    if (['.npy', '.npy.gz'].some((end) => existsSync(join(wish.folder, `valid-images${end}`)))) {
      const valid = await loadFaces({ ...wish, split: 'valid', ties: 'drop', sidePx: cropPx }, say);
      say(`faces, valid: ${String(valid.set.count)} of ${describe(valid.report)}`);
      validFaces = someFaces(valid.set, validationCount);
    }
  }
  const { bandLimitHz } = clip;
  const wish = { bandLimitHz, melBins: config.audio.melBins };
  let voices: VoiceSet | null = null;
  let validVoices: VoiceSet | null = null;
  let usualSpectrum: readonly number[] | null = null;
  if (options.voices !== undefined) {
    const load = async (clips: readonly VoiceClip[], name: string): Promise<VoiceSet> => {
      const set = await loadVoices(clips, wish, options.threads, progress(`decoding voices, ${name}`, say));
      say(`voices, ${name}: ${String(set.count)} clips`);
      return clip.shortSound === 'speech' ? betweenPauses(set, bandLimitHz) : set;
    };
    const held = listVoices(options.voices, { only: options.fold }).clips;
    const rest = listVoices(options.voices, { except: options.fold });
    for (const [why, count] of Object.entries(rest.dropped)) say(`voices left out: ${String(count)} ${why}`);
    const all = await load(rest.clips, `all but fold ${String(options.fold)}`);
    const heard = withoutSilence(all);
    if (heard.count < all.count) say(`voices left out: ${String(all.count - heard.count)} silent`);
    const spectra = Array.from({ length: heard.count }, (_, i) => spectrumOf(heard, i));
    usualSpectrum = usualSpectrumOf(spectra, Array.from(heard.speakers, String));
    voices = equalized(heard, usualSpectrum, bandLimitHz, 'usual');
    const order = permutation(held.length, streamOf(0, 0, 1));
    const some = await load(
      Array.from(order.subarray(0, validationCount), (i) => held[i]!),
      `some of fold ${String(options.fold)}`,
    );
    validVoices = equalized(some, usualSpectrum, bandLimitHz, 'usual');
  }
  return { faces, voices, usualSpectrum, validFaces, validVoices };
}
