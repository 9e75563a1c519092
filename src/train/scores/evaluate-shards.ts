// `evaluate` on prepared samples by the official protocol: two clips of each sample, their probabilities (or values)
// averaged.
import { Problem } from '../../base/errors.ts';
import { logMel } from '../../clip/log-mel.ts';
import { kindOf } from '../../weights/calibration.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { readSamples } from './evaluate-threads.ts';
import type { Reader } from './evaluate-threads.ts';
import type { ScoredSample } from './evaluation.ts';
import { probabilitiesOf } from './class-views.ts';
import { meanOfRows } from './metrics.ts';
import { progress } from '../base/progress.ts';
import type { SampleMeta, SampleSet } from '../data/sample.ts';
import { describeSelection } from './scored.ts';
import type { SamplePicture, Scored, Selection } from './scored.ts';
import { hearVoices, sampleEqualizers } from '../data/shards/equalizers.ts';
import { openSamples } from '../data/shards/read.ts';
import { equalizings } from '../data/stills/equalize.ts';
import type { Equalizing } from '../data/stills/equalize.ts';

export type ModalityOption = 'both' | 'face' | 'voice';

export interface ShardOptions {
  readonly data: readonly string[];
  readonly modality: ModalityOption;
  readonly frameStep: number | null;
  /** Seed of the official random gain; null: none. */
  readonly rollSeed: number | null;
  /** For a model that names a usual voice. */
  readonly equalize: Equalizing;
}

/** Samples that are scored, and why others are not. */
interface Chosen {
  readonly ids: readonly number[];
  readonly dropped: Record<string, number>;
}

const has = {
  face: (meta: SampleMeta) => meta.frameCount > 0,
  voice: (meta: SampleMeta) => meta.sampleCount > 0,
};

/** Why a sample cannot be scored; null: it can. */
function refusal(meta: SampleMeta, manifest: Manifest, modality: ModalityOption): string | null {
  if (manifest.outputs === 'dimensions') {
    const values = meta.dimensions ?? {};
    const missing = manifest.labels.filter((label) => values[label] === undefined);
    if (missing.length > 0) return `without ${missing.join(', ')}`;
  } else if (meta.label === null) return 'not labeled';
  else if (!manifest.labels.includes(meta.label)) return `label ${meta.label}, which the model lacks`;
  if (modality !== 'both') return has[modality](meta) ? null : `no ${modality}`;
  if (has.face(meta) && has.voice(meta)) return null;
  if (!has.face(meta) && !has.voice(meta)) return 'neither face nor voice';
  // A model that never saw one modality alone is not asked to.
  if (manifest.missingModalities) return null;
  return has.face(meta) ? 'no voice, which the model needs' : 'no face, which the model needs';
}

function inSelection(meta: SampleMeta, { split, folds }: Selection): boolean {
  if (split !== null && meta.split !== split) return false;
  return folds === null || (meta.fold !== null && folds.includes(meta.fold));
}

function choose(set: SampleSet, selection: Selection, manifest: Manifest, modality: ModalityOption): Chosen {
  const dropped: Record<string, number> = {};
  const ids: number[] = [];
  let selected = 0;
  set.samples.forEach((meta, i) => {
    if (!inSelection(meta, selection)) return;
    selected++;
    const why = refusal(meta, manifest, modality);
    if (why === null) ids.push(i);
    else dropped[why] = (dropped[why] ?? 0) + 1;
  });
  if (selected === 0) {
    const splits = [...new Set(set.samples.map(({ split }) => split ?? 'none'))].sort().join(', ');
    const folds = [...new Set(set.samples.map(({ fold }) => String(fold ?? 'none')))].sort().join(', ');
    throw new Problem(
      'unsupported-file',
      `No sample of ${describeSelection(selection)}: the data has the splits ${splits} and the folds ${folds}.`,
    );
  }
  const least = manifest.outputs === 'dimensions' ? 2 : 1;
  if (ids.length < least) {
    const reasons = Object.entries(dropped).map(([why, count]) => `${String(count)} ${why}`);
    throw new Problem(
      'unsupported-file',
      `Of ${String(selected)} samples ${String(ids.length)} can be scored (${reasons.join('; ')}); wanted at least ${String(least)} with ${manifest.labels.join(', ')}.`,
    );
  }
  return { ids, dropped };
}

function protocolOf(options: ShardOptions, manifest: Manifest, metas: readonly SampleMeta[]): string {
  const { modality, frameStep, rollSeed, equalize } = options;
  const { shortSound } = manifest.clip;
  const clipSamples = manifest.clip.soundMs * 16;
  const shorter = metas.filter(({ sampleCount }) => sampleCount > 0 && sampleCount < clipSamples).length;
  const outputs = manifest.outputs === 'dimensions' ? 'values' : 'probabilities';
  const alone =
    modality === 'both'
      ? [
          ['face', metas.filter((meta) => !has.voice(meta)).length] as const,
          ['voice', metas.filter((meta) => !has.face(meta)).length] as const,
        ].flatMap(([name, count]) =>
          count > 0 ? [`${String(count)} samples are read by their ${name} alone`] : [],
        )
      : [`Only the ${modality} is read`];
  const hears = modality !== 'face' && manifest.clip.usualSpectrum !== null;
  return [
    `Official multi-view test: mean of the ${outputs} of a sample's first and last clip (the official two crops of each are identical); a sample as short as one clip is read once`,
    frameStep === null
      ? `Frames lie ${String(manifest.clip.frameIntervalMs)} ms apart, by the model's clip and the recording's frame rate`
      : `Every ${String(frameStep)}th frame is taken`,
    rollSeed === null
      ? 'The sound is taken as it is (the official code multiplies it by a random gain in testing too: --roll)'
      : 'Each view’s sound is multiplied by a draw of Beta(10, 10) + 0.5, as the official code does',
    ...(modality === 'face' || shorter === 0
      ? []
      : [
          `${String(shorter)} sounds are shorter than ${String(manifest.clip.soundMs / 1000)} s: ${shortSound === 'official' ? 'zeros stand behind their spectrogram, as official and in this model’s training' : 'they stand in the middle of digital silence'}`,
        ]),
    ...(modality !== 'face' && shortSound === 'speech'
      ? [
          'What lies before the first and after the last speech is left out, of a recording seen too only within its clips',
        ]
      : []),
    ...alone,
  ]
    .map((sentence) => `${sentence}.`)
    .concat(hears ? [equalizings[equalize]] : [])
    .join(' ');
}

/** A sample's middle frame and the first seconds of its sound. */
async function pictureOf(
  set: SampleSet,
  id: number,
  reader: Reader,
  modality: ModalityOption,
): Promise<SamplePicture> {
  const meta = set.samples[id]!;
  const withFace = has.face(meta) && modality !== 'voice';
  const withVoice = has.voice(meta) && modality !== 'face';
  const [data] = withFace ? await set.frames(id, [Math.floor(meta.frameCount / 2)]) : [];
  const sound = withVoice ? await set.sound(id) : null;
  const bins = reader.config.audio.melBins;
  const frames = Math.max(1, Math.min(512, Math.floor(((sound?.length ?? 0) - 400) / 160) + 1));
  return {
    face: data ? { data, sidePx: meta.cropPx } : null,
    mel: sound && {
      data: logMel(sound, { bandLimitHz: reader.clip.bandLimitHz, frameCount: frames, melBins: bins }),
      frames,
      bins,
    },
  };
}

/** Opens prepared samples for a model. @throws Problem when nothing can be scored, or the shards cannot be read */
export async function scoreShards(
  options: ShardOptions,
  selection: Selection,
  manifest: Manifest,
  reader: Reader,
  say: (line: string) => void,
): Promise<Scored> {
  const folders = selection.data ?? options.data;
  const set = await openSamples(folders);
  try {
    const { ids, dropped } = choose(set, selection, manifest, options.modality);
    const { frameStep, rollSeed } = options;
    const metas = ids.map((i) => set.samples[i]!);
    const samples = metas.map((meta): ScoredSample => {
      const name = `${meta.corpus}/${meta.key}`;
      const identity = meta.identity === null ? null : `${meta.corpus}/${meta.identity}`;
      return { name, sources: [name], identity, groups: meta.groups };
    });
    const { labels } = manifest;
    const faces = metas.filter((meta) => has.face(meta));
    return {
      samples,
      predict: async () => {
        const part = ({ both: 'both', face: 'picture', voice: 'sound' } as const)[options.modality];
        const { clip, config } = manifest;
        const listens =
          clip.usualSpectrum !== null && options.equalize !== 'as-is' && options.modality !== 'face';
        const heard = await hearVoices(set, listens ? ids : [], clip.bandLimitHz, config.audio.melBins, say);
        const equalizers = sampleEqualizers(heard, set.samples.length, clip, options.equalize);
        const source = { folders, frameStep, rollSeed, equalizers };
        const outputs = await readSamples(reader, source, ids, part, progress('scored', say));
        if (manifest.outputs === 'dimensions') {
          return {
            kind: 'dimensions',
            labels,
            rows: outputs.map(meanOfRows),
            truth: metas.map(({ dimensions }) => labels.map((label) => dimensions?.[label] ?? 0)),
            samples,
          };
        }
        const kinds = metas.map((meta) =>
          kindOf({
            face: has.face(meta) && options.modality !== 'voice',
            voice: has.voice(meta) && options.modality !== 'face',
          }),
        );
        return {
          kind: 'classes',
          labels,
          rows: probabilitiesOf({ outputs, kinds }, manifest.calibration),
          views: { outputs, kinds },
          truth: metas.map(({ label }) => labels.indexOf(label ?? '')),
          samples,
        };
      },
      context: {
        model: manifest.name,
        task: 'shards',
        dropped,
        undetectedFaces:
          options.modality === 'voice' ? null : faces.filter(({ foundCount }) => foundCount === 0).length,
        protocol: protocolOf(options, manifest, metas),
        data: {
          data: folders.join(', '),
          corpora: [...new Set(metas.map(({ corpus }) => corpus))].join(', '),
          split: selection.split,
          folds: selection.folds?.join(', ') ?? null,
          modality: options.modality,
          frameStep,
          roll: rollSeed,
          equalize: manifest.clip.usualSpectrum === null ? null : options.equalize,
        },
      },
      picture: (i) => pictureOf(set, ids[i]!, reader, options.modality),
      close: () => set.close(),
    };
  } catch (error) {
    await set.close();
    throw error;
  }
}
