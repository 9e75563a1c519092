// `calibrate`: measures on held-out data how far a model's probabilities can be trusted, and writes what makes them honest
// into its manifest: a temperature for each kind of clip, and when a reading is uncertain.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { Problem } from '../../base/errors.ts';
import { inputKinds } from '../../weights/calibration.ts';
import type { InputKind, ModelCalibration } from '../../weights/calibration.ts';
import { parseManifest } from '../../weights/manifest.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { writeWhole } from '../base/cache.ts';
import { alignOption, number, whole } from '../base/options.ts';
import { memoryTask, scoreMemory } from '../scores/evaluate-memory.ts';
import { scoreShards } from '../scores/evaluate-shards.ts';
import type { Reader } from '../scores/evaluate-threads.ts';
import { fitKind, outcomesOf, thresholdFor, thresholdRange } from '../scores/fit-calibration.ts';
import type { FittedKind, KindViews, Outcome } from '../scores/fit-calibration.ts';
import { describeSelection } from '../scores/scored.ts';
import type { Scored, Selection } from '../scores/scored.ts';
import { readModel } from '../weights/model-folder.ts';
import { backendOption, chooseTrainBackend } from '../base/webgpu.ts';
import type { BackendOption } from '../base/webgpu.ts';

export interface CalibrateOptions {
  readonly model: string;
  /** Folders of prepared samples. */
  readonly data?: readonly string[];
  readonly faces?: string;
  readonly voices?: string;
  /** Of prepared samples; of faces: default valid. */
  readonly split?: string;
  readonly fold?: number;
  /** 0..1; absent: by the data. */
  readonly uncertainBelow?: number;
  readonly dryRun?: boolean;
  readonly seed: number;
  readonly threads: number;
  readonly align: 'detect' | 'as-is';
  /** Default auto. */
  readonly backend?: BackendOption;
}

type Say = (line: string) => void;

const names = { face: 'faces alone', voice: 'voices alone', both: 'faces and voices' } as const;
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** What is read for each kind of clip: one after the other, since each opens its own data. */
function openings(
  options: CalibrateOptions,
  folder: string,
  manifest: Manifest,
  reader: Reader,
  say: Say,
): (() => Promise<Scored>)[] {
  const { data, faces, voices, split = null, fold } = options;
  const selection: Selection = { split, folds: fold === undefined ? null : [fold], data: null };
  if (data !== undefined) {
    if (faces !== undefined || voices !== undefined) {
      throw new Problem(
        'unsupported-file',
        'Got --data and --faces or --voices: prepared samples and folders are read one at a time.',
      );
    }
    const modalities = manifest.missingModalities
      ? (['face', 'voice', 'both'] as const)
      : (['both'] as const);
    return modalities.map(
      (modality) => () =>
        scoreShards(
          { data, modality, frameStep: null, rollSeed: null, equalize: 'usual' },
          selection,
          manifest,
          reader,
          say,
        ),
    );
  }
  const { seed, align } = options;
  const tasks = [
    ...(faces === undefined ? [] : [{ faces, pairs: false }]),
    ...(voices === undefined ? [] : [{ voices, pairs: false }]),
    ...(faces === undefined || voices === undefined ? [] : [{ faces, voices, pairs: true }]),
  ].map((task) => ({ ...task, seed, align }));
  if (tasks.length === 0) memoryTask({ pairs: false, seed, align });
  return tasks.map((task) => () => scoreMemory(task, selection, { folder, manifest }, reader, say));
}

/** All outputs, by what was read. Samples of prepared data that lack a part are read as what they are. */
async function readKinds(
  opens: readonly (() => Promise<Scored>)[],
  mirrorView: boolean,
  say: Say,
): Promise<KindViews[]> {
  const found = new Map<InputKind, KindViews>();
  for (const open of opens) {
    const scored = await open();
    try {
      const predictions = await scored.predict();
      if (predictions.kind !== 'classes') throw new Error('internal: a calibration for dimensions');
      const { views, truth, samples } = predictions;
      for (const kind of inputKinds) {
        const chosen = truth.flatMap((_, i) => (views.kinds[i] === kind ? [i] : []));
        if (chosen.length === 0 || found.has(kind)) continue;
        say(`Read ${String(chosen.length)} ${names[kind]}.`);
        found.set(kind, {
          kind,
          outputs: chosen.map((i) => views.outputs[i]!),
          viewsPerReading: mirrorView && kind !== 'voice' ? 2 : 1,
          truth: chosen.map((i) => truth[i]!),
          identities: chosen.map((i) => samples[i]!.identity),
        });
      }
    } finally {
      await scored.close();
    }
  }
  return inputKinds.flatMap((kind) => found.get(kind) ?? []);
}

function tell({ kind, temperature, samples, readings, ece }: FittedKind): string {
  const cross = ece.crossFitted === null ? '' : `, cross-fitted ${percent(ece.crossFitted)}`;
  return `${names[kind]}: temperature ${temperature.toFixed(3)}; calibration error ${percent(ece.before)} -> ${percent(ece.after)}${cross} (n ${String(samples)}, ${String(readings)} readings)`;
}

/** How many readings a threshold calls uncertain, and how often they and the others are right. */
function tellThreshold(kind: InputKind, outcomes: readonly Outcome[], uncertainBelow: number): string {
  const unsure = outcomes.filter(({ confidence }) => confidence < uncertainBelow);
  const sure = outcomes.filter(({ confidence }) => confidence >= uncertainBelow);
  const right = (list: readonly Outcome[]): string =>
    list.length === 0 ? '-' : percent(list.filter((outcome) => outcome.right).length / list.length);
  return `  ${names[kind]}: ${percent(unsure.length / outcomes.length)} uncertain, of which the nearest label is right in ${right(unsure)}; of the others ${right(sure)}`;
}

/**
 * Runs the command; `say` prints what it measures.
 * @returns what stands in the manifest, or would with `dryRun`
 * @throws Problem when the model names no classes, or the data do not fit it or cannot be read
 */
export async function calibrateModel(options: CalibrateOptions, say: Say): Promise<ModelCalibration> {
  const { model } = options;
  const { manifest, flat } = await readModel(model);
  if (manifest.outputs === 'dimensions' || manifest.config.headActivation !== 'none') {
    throw new Problem(
      'unsupported-file',
      `${model} reads ${manifest.labels.join(', ')} as values; wanted a model of classes: only probabilities are calibrated.`,
    );
  }
  const backend = await chooseTrainBackend(options.backend ?? 'auto');
  if (backend.name === 'webgpu') say(backend.reason);
  const { config, clip, calibration: former } = manifest;
  const threads = backend.name === 'webgpu' ? 1 : options.threads;
  const reader: Reader = { config, clip, params: flat, backend: backend.name, threads };
  const kinds = await readKinds(openings(options, model, manifest, reader, say), clip.mirrorView, say);

  const fitted = kinds.map((views) => fitKind(views, options.seed));
  const temperature = { face: 1, voice: 1, both: 1, ...former?.temperature };
  for (const fit of fitted) {
    temperature[fit.kind] = fit.temperature;
    say(tell(fit));
  }
  const outcomes = kinds.map((views) => outcomesOf(views, temperature[views.kind]));
  const uncertainBelow = options.uncertainBelow ?? thresholdFor(outcomes.flat());
  const rule =
    options.uncertainBelow === undefined
      ? `from there on readings are right at least half of the time; within ${String(thresholdRange.least)} to ${String(thresholdRange.most)}`
      : 'as told';
  say(`Uncertain below ${String(uncertainBelow)} (${rule}):`);
  kinds.forEach(({ kind }, k) => {
    say(tellThreshold(kind, outcomes[k]!, uncertainBelow));
  });
  say(
    'The calibration error after is of the samples that were fitted on and flatters a little; the cross-fitted one is of samples that were not.',
  );
  const others = inputKinds.filter((kind) => !fitted.some((fit) => fit.kind === kind));
  if (others.length > 0) {
    const kept = others.map((kind) => `${names[kind]} ${String(temperature[kind])}`);
    say(`No data for, and so as before: ${kept.join(', ')}.`);
  }

  const calibration: ModelCalibration = { temperature, uncertainBelow };
  const selection = describeSelection({
    split: options.split ?? (options.faces === undefined ? null : 'valid'),
    folds: options.fold === undefined ? null : [options.fold],
    data: null,
  });
  const path = join(model, 'manifest.json');
  // From the file's own text: whatever else stands in it stays.
  const json = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, unknown>>;
  const provenance = {
    ...manifest.provenance,
    calibration: `on ${selection}: ${fitted.map(tell).join('; ')}; uncertain below ${String(uncertainBelow)}: ${rule}`,
  };
  const next = { ...json, calibration, provenance };
  parseManifest(next, path);
  if (options.dryRun === true) say(`${path} is left as it was (--dry-run).`);
  else {
    writeWhole(path, `${JSON.stringify(next, null, 2)}\n`);
    say(`Written: ${path}`);
  }
  return calibration;
}

export function calibrateCommand(say: Say): Command {
  return new Command('calibrate')
    .description(
      "Fit a temperature for faces alone, voices alone and both on held-out data, choose when a reading is uncertain, and write both into a model's manifest.json. evaluate and the page apply them.",
    )
    .requiredOption('--model <dir>', 'model folder, for example models/nano; its manifest.json is rewritten')
    .option('--data <dirs...>', 'folders that prepare wrote; the labels are matched by name')
    .option(
      '--faces <dir>',
      'instead of --data: faces laid out like FER+; with --voices also pairs of both, by label',
    )
    .option('--voices <dir>', 'instead of --data: voices laid out like CREMA-D')
    .option(
      '--split <name>',
      'with --data: samples of this split only (default: all); with --faces: the split to read (default: valid)',
    )
    .option(
      '--fold <number>',
      'samples, or voices, of this cross-validation fold only, from 1 (default: all)',
      whole(1, 1000),
    )
    .option(
      '--uncertain-below <probability>',
      `a reading whose greatest calibrated probability is below this is uncertain, 0 to 1; 0: none is (default: where readings are right at least half of the time, within ${String(thresholdRange.least)} to ${String(thresholdRange.most)})`,
      number(0, 1),
    )
    .option('--dry-run', 'measure only; write nothing', false)
    .option(
      '--seed <number>',
      'decides which face goes with which voice, and the halves of cross-fitting',
      whole(0, 2 ** 31),
      1,
    )
    .option('--threads <count>', 'worker threads, 1 to 64', whole(1, 64), Math.min(2, availableParallelism()))
    .addOption(backendOption())
    .addOption(alignOption())
    .action(async (options: CalibrateOptions) => {
      await calibrateModel(options, say);
    });
}
