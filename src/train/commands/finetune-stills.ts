// `finetune-stills`: trains faces alone, voices alone and pairs together on stills and voices held in memory: quick steps for
// small models, as the shipped nano was made.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { emotions } from '../../model/labels.ts';
import { parameterGroups, parameterShapes } from '../../model/params.ts';
import { chooseTrainBackend } from '../base/webgpu.ts';
import { evaluate } from './evaluate.ts';
import { exportRun } from './export.ts';
import { officialAdamW } from '../trainer/adamw.ts';
import { checkpointPath, readCheckpoint } from '../trainer/checkpoint.ts';
import { commandLine } from '../recipe/command-line.ts';
import { endLine } from '../recipe/run-clips.ts';
import { beginVoicesAsFaces, initialFinetune, initialWidened } from '../trainer/initial.ts';
import { foldList, number, whole } from '../base/options.ts';
import { identityOf, names, stopOnInterrupt } from '../recipe/run-options.ts';
import { scoreClassification } from '../scores/metrics.ts';
import { runLog } from '../trainer/run-log.ts';
import { checkRunFolder, train } from '../trainer/trainer.ts';
import type { TrainingEnd, Validation } from '../trainer/trainer.ts';
import { slotsOf } from '../trainer/flat-params.ts';
import { readWeights } from '../weights/read-weights.ts';
import { loadTrainingData } from '../data/stills/training-data.ts';
import type { TrainingData } from '../data/stills/training-data.ts';
import { voiceAugmentation } from '../data/stills/voice-augment.ts';
import {
  addStillsOptions,
  checkData,
  checkDivides,
  describeData,
  stillsClipSpec,
  trainerOptionsOf,
} from '../data/stills/stills-run.ts';
import type { StillsRunOptions } from '../data/stills/stills-run.ts';

export interface StillsOptions extends StillsRunOptions {
  /** In place of `fold`: each is held out in turn. */
  readonly folds?: readonly number[];
  readonly from?: string;
  readonly widen?: string;
  /** The voices' encoder begins as the faces' of `from`. */
  readonly voicesFromFaces?: boolean;
  readonly minutes: number;
  readonly batchFaces: number;
  readonly batchVoices: number;
  readonly pairs: number;
  readonly balance: number;
  readonly surprisedNeutral: number;
  readonly surprisedExcited: number;
  readonly keepFaces: number;
  readonly keepVoices: number;
  readonly blendVoices: number;
  readonly faceChanges: number;
  readonly voiceChanges: number;
  readonly voiceEnds: 'keep' | 'cut';
  readonly pauses: number;
  readonly slowVoices: number;
  readonly layerDecay: number;
  readonly dropPath: number;
  readonly smoothing: number;
  readonly average: number;
  /** Prefixes of parameters' names that stay as they are. */
  readonly freeze?: readonly string[];
  /** Leaves out the losses of faces alone and voices alone. */
  readonly pairsOnly?: boolean;
  /** Makes a modality's utterance feature of its last block's output alone. */
  readonly lastBlock?: boolean;
}

/** The weights of the blocks' outputs in the utterance features. */
const layerWeights = ['video_layer_weights', 'audio_layer_weights'] as const;

/** Accuracies of the looks; the best has the best mean of them. */
function validationOf({ validFaces, validVoices }: TrainingData): Validation {
  const labels: Readonly<Record<string, ArrayLike<number>>> = {
    ...(validFaces ? { faces: validFaces.labels } : {}),
    ...(validVoices ? { voices: validVoices.labels } : {}),
  };
  return {
    sets: Object.fromEntries(Object.entries(labels).map(([set, all]) => [set, all.length])),
    score: (set, rows) => {
      const { war, uar } = scoreClassification(rows, Array.from(labels[set] ?? []), emotions.length);
      return { [`${set}War`]: war, [`${set}Uar`]: uar };
    },
    best: (scores) => {
      const values = Object.entries(scores).flatMap(([name, value]) => (name.endsWith('Uar') ? [value] : []));
      return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
    },
  };
}

function readLastBlockOnly(flat: Float32Array, config: HicmaeConfig): void {
  const { slots } = slotsOf(parameterShapes(config));
  for (const { name, offset, length } of slots) {
    if (!layerWeights.some((each) => each === name)) continue;
    flat.fill(0, offset, offset + length);
    flat[offset + length - 1] = 1;
  }
}

async function finetuneOnce(
  options: StillsOptions,
  say: (line: string) => void,
  stopping: () => boolean,
): Promise<TrainingEnd> {
  checkData(options);
  const {
    out,
    resume,
    minutes,
    pairsOnly = false,
    lastBlock = false,
    voicesFromFaces = false,
    backend: wanted = 'auto',
  } = options;
  const backend = await chooseTrainBackend(wanted);
  // A GPU's steps come from one thread; the others still decode.
  const threads = backend.name === 'webgpu' ? 1 : options.threads;
  say(backend.reason);
  checkDivides(threads, {
    '--batch-faces': options.batchFaces,
    '--batch-voices': options.batchVoices,
    '--pairs': options.pairs,
  });
  if (pairsOnly && (options.pairs === 0 || options.faces === undefined || options.voices === undefined)) {
    throw new Problem(
      'unsupported-file',
      '--pairs-only has nothing to train: give --faces, --voices and --pairs above 0.',
    );
  }
  if (options.pairs > Math.min(options.batchFaces, options.batchVoices)) {
    throw new Problem(
      'unsupported-file',
      `--pairs ${String(options.pairs)} is more than a batch's faces or voices.`,
    );
  }
  if (options.from !== undefined && options.widen !== undefined) {
    throw new Problem('unsupported-file', 'A run begins with --from or with --widen, not with both.');
  }
  if (voicesFromFaces && options.from === undefined) {
    throw new Problem(
      'unsupported-file',
      '--voices-from-faces takes the faces of --from, which is missing: give weights that read faces.',
    );
  }
  const config: HicmaeConfig = { ...sizes[options.size], classCount: emotions.length };
  const identity = identityOf(options);
  checkRunFolder(out, resume, identity);
  mkdirSync(out, { recursive: true });
  const wish = stillsClipSpec(config, options.voiceEnds === 'cut' ? 'speech' : 'silence');
  const data = await loadTrainingData(options, config, wish, say);
  const command = commandLine('finetune-stills', options);
  const before = options.from ?? options.widen;
  const earlier = before === undefined ? undefined : (await readWeights(before)).about;
  // A run without voices leaves the voices' branch, and what it takes for usual, as they were.
  const usualSpectrum = data.usualSpectrum ?? earlier?.clip?.usualSpectrum ?? null;
  const clip = { ...wish, usualSpectrum };
  const provenance = {
    // How the weights came to be that it starts from, then this.
    command: [earlier?.provenance['command'], command].filter((part) => part !== undefined).join(' && '),
    data: describeData(data, options.fold),
    seed: String(options.seed),
  };
  const log = runLog(out, options.batchFaces + options.batchVoices, say);
  try {
    const end = await train({
      run: out,
      model: {
        kind: 'finetune',
        config,
        labels: emotions,
        outputs: 'classes',
        missingModalities: true,
      },
      parameters: parameterShapes(config),
      groups: parameterGroups(config, options.layerDecay),
      clip,
      identity,
      provenance,
      task: {
        kind: 'stills',
        config,
        bandLimitHz: clip.bandLimitHz,
        ...data,
        options: {
          batchFaces: options.batchFaces,
          batchVoices: options.batchVoices,
          pairs: options.pairs,
          balance: options.balance,
          surprisedNeutral: options.surprisedNeutral,
          surprisedExcited: options.surprisedExcited,
          keepFaces: options.keepFaces,
          keepVoices: options.keepVoices,
          blendVoices: options.blendVoices,
          faceChanges: options.faceChanges,
          voiceChanges: options.voiceChanges,
          pauses: options.pauses,
          slowVoices: options.slowVoices,
          dropPath: options.dropPath,
          pairsOnly,
          smoothing: options.smoothing,
          seed: options.seed,
        },
      },
      validation: validationOf(data),
      pictureIds: [],
      onPictures: () => Promise.resolve(),
      resume,
      options: trainerOptionsOf(options, threads, backend.name, {
        adamw: officialAdamW,
        averageDecay: options.average,
        minutes,
        freeze: [...(options.freeze ?? []), ...(lastBlock ? layerWeights : [])],
      }),
      initial: async () => {
        const flat = await (options.widen === undefined
          ? initialFinetune(config, options.from, options.seed, say)
          : initialWidened(config, options.widen, options.seed, say));
        if (voicesFromFaces) beginVoicesAsFaces(flat, config);
        if (lastBlock) readLastBlockOnly(flat, config);
        return flat;
      },
      log: log.log,
      stopping,
    });
    say(endLine(end, out));
    return end;
  } finally {
    log.close();
  }
}

/**
 * Runs the command: one training, or one for each of `folds` into OUT/fold-K, whose models (OUT/fold-K/model) then read the
 * voices held out from them; the scores are in OUT/folds.json.
 */
export async function finetuneStills(
  { folds = [], ...options }: StillsOptions,
  say: (line: string) => void,
  stopping: () => boolean = () => false,
): Promise<void> {
  if (folds.length === 0) {
    await finetuneOnce(options, say, stopping);
    return;
  }
  const { voices, out, steps, resume } = options;
  if (voices === undefined)
    throw new Problem('unsupported-file', '--folds are of voices: give --voices DIR, or leave it out.');
  const models: string[] = [];
  for (const fold of folds) {
    const run = join(out, `fold-${String(fold)}`);
    say(`fold ${String(fold)}, in ${run}`);
    const began = resume && existsSync(checkpointPath(run));
    if (!began || readCheckpoint(run).state.step < steps) {
      const end = await finetuneOnce({ ...options, fold, out: run, resume: began }, say, stopping);
      if (end.why === 'stopped') return;
    }
    const model = join(run, 'model');
    await exportRun({ run, dtype: 'I8', out: model }, say);
    models.push(model);
  }
  const { seed, threads, align, backend = 'auto' } = options;
  const json = join(out, 'folds.json');
  await evaluate({ model: models, voices, folds, pairs: false, seed, threads, align, backend, json }, say);
}

/** The command as it is typed. */
export function finetuneStillsCommand(say: (line: string) => void): Command {
  const command = new Command('finetune-stills').description(
    'Train faces alone, voices alone and pairs by label together.',
  );
  return addStillsOptions(command)
    .option(
      '--from <path>',
      'start from these weights, fine-tuned or pre-trained: a run, a model folder, .safetensors or .pth (default: fresh)',
    )
    .option(
      '--widen <path>',
      'start from the fine-tuned weights of a narrower model, for example models/nano with --size mini; new units begin fresh',
    )
    .option(
      '--voices-from-faces',
      "the voices' encoder begins as the faces' of --from, its filters stretched to the voices' patches: voices learn sooner than from fresh weights",
    )
    .option(
      '--folds <list>',
      'in place of --fold: train once for each of these folds, each held out in turn, into OUT/fold-K, and score all held-out voices together, each read by the model that never heard its fold: 1-5',
      foldList,
    )
    .option(
      '--minutes <minutes>',
      'end after this much time, and the schedule with it (default: no limit)',
      number(0, 1e6),
      Infinity,
    )
    .option('--batch-faces <count>', 'faces per step, over all threads', whole(0, 4096), 80)
    .option('--batch-voices <count>', 'voices per step, over all threads', whole(0, 4096), 24)
    .option('--pairs <count>', 'faces and voices per step that are also read as pairs', whole(0, 4096), 12)
    .option(
      '--balance <power>',
      "a face's class counts with this power of its size, 0..1: 1 is as they come, 0 balances the classes",
      number(0, 1),
      0.75,
    )
    .option(
      '--surprised-neutral <share>',
      'share of the neutral voices in pairs that are joined with a surprised face and labeled so, 0..1: no voice is labeled surprise',
      number(0, 1),
      0.25,
    )
    .option('--surprised-excited <share>', 'likewise, of the happy and the fearful voices', number(0, 1), 0.1)
    .option('--keep-faces <share>', "share of a face's patches kept in training, 0..1", number(0.05, 1), 1)
    .option(
      '--keep-voices <share>',
      "share of a voice's patches kept in training, 0..1",
      number(0.05, 1),
      0.4,
    )
    .option(
      '--blend-voices <share>',
      'share of the voices read alone that are blended with another, labels too (mixup), 0..1',
      number(0, 1),
      0,
    )
    .option(
      '--face-changes <share>',
      'how far and how often training changes faces (place, turn, size, light, blur, cover), as a share of the usual, 0..1; fresh weights learn sooner with fewer',
      number(0, 1),
      1,
    )
    .option(
      '--voice-changes <share>',
      'how far and how often training changes voices (level, spectrum, speed, pitch, noise, rooms, how well a speaker is known), likewise; with fewer, speakers that are hardly known are read worse',
      number(0, 1),
      1,
    )
    .addOption(
      new Option(
        '--voice-ends <what>',
        'cut: what lies before the first and after the last speech is left out, here and wherever the model reads; keep: it is read',
      )
        .choices(['cut', 'keep'])
        .default('cut'),
    )
    .option(
      '--pauses <share>',
      'how often training lets a voice begin late in its window or end early, with silence or faint noise in the rest, 0..1',
      number(0, 1),
      voiceAugmentation.pause,
    )
    .option(
      '--slow-voices <extent>',
      `by how much training slows a voice at most, in ln of its speed, 0..0.5 (quicker: by ${String(voiceAugmentation.speed)})`,
      number(0, 0.5),
      voiceAugmentation.slower,
    )
    .option(
      '--layer-decay <factor>',
      'learning rate factor from layer to layer (0.75 when starting from pre-training)',
      number(0.01, 1),
      1,
    )
    .option('--drop-path <rate>', "stochastic depth's rate in the deepest block", number(0, 0.9), 0)
    .option(
      '--freeze <prefixes>',
      'parameters that stay as they are, by the beginnings of their official names, separated by commas: encoder_audio,audio_layer_weights',
      names,
    )
    .option(
      '--pairs-only',
      'without the losses of faces alone and voices alone: no modality dropout, for comparison',
    )
    .option(
      '--last-block',
      "a modality's utterance feature is its last block's output, not all blocks': no hierarchical fusion, for comparison",
    )
    .option('--smoothing <share>', 'label smoothing of voices and pairs', number(0, 0.9), 0.1)
    .option(
      '--average <share>',
      'share of the running average of the weights kept at each step',
      number(0, 0.99999),
      0.998,
    )
    .action(async (options: StillsOptions) => {
      await finetuneStills(options, say, stopOnInterrupt(say));
    });
}
