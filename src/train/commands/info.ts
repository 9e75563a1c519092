// `info`: what a folder or file is: a run, a model, weights, prepared samples.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { Problem } from '../../base/errors.ts';
import { checkpointPath } from '../trainer/checkpoint.ts';
import { folderBytes, printRun, runInfo, short, writeCurves } from './info-run.ts';
import type { RunInfo } from './info-run.ts';
import { readWeights } from '../weights/read-weights.ts';
import type { Weights } from '../weights/read-weights.ts';
import type { SampleMeta } from '../data/sample.ts';
import { readDatasets } from '../data/shards/dataset.ts';
import { openSamples } from '../data/shards/read.ts';

type Say = (line: string) => void;

export interface WeightsInfo {
  readonly kind: 'model' | 'weights';
  readonly path: string;
  readonly bytes: number;
  readonly trained: Weights['kind'];
  readonly config: Weights['config'];
  readonly about: Weights['about'];
  readonly tensors: number;
  readonly parameters: number;
  /** Parameters of each part: `encoder`, `encoder_audio`, `head`, ... */
  readonly parts: Readonly<Record<string, number>>;
}

export interface ShardsInfo {
  readonly kind: 'samples';
  readonly path: string;
  readonly bytes: number;
  readonly shards: number;
  readonly samples: number;
  readonly withFace: number;
  readonly withSound: number;
  readonly frames: number;
  readonly soundHours: number;
  readonly identities: number;
  /** Samples by corpus, label, split, fold, and value of each group; `none` where not told. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Mean, least and greatest value of each dimension. */
  readonly dimensions: Readonly<
    Record<
      string,
      { readonly n: number; readonly mean: number; readonly least: number; readonly most: number }
    >
  >;
  /** What prepare left out, by reason; null: the shards were made elsewhere. */
  readonly leftOut: Readonly<Record<string, number>> | null;
}

/** Folders of runs: those of the folds of one command. */
export interface RunsInfo {
  readonly kind: 'runs';
  readonly path: string;
  readonly runs: readonly RunInfo[];
}

export type Info = RunInfo | RunsInfo | WeightsInfo | ShardsInfo;

const isRun = (path: string): boolean =>
  existsSync(join(path, 'log.jsonl')) || existsSync(checkpointPath(path));

async function weightsInfo(path: string, kind: 'model' | 'weights'): Promise<WeightsInfo> {
  const weights = await readWeights(path);
  const parts: Record<string, number> = {};
  let parameters = 0;
  for (const [name, { data }] of Object.entries(weights.tensors)) {
    const part = name.split('.')[0] ?? name;
    parts[part] = (parts[part] ?? 0) + data.length;
    parameters += data.length;
  }
  return {
    kind,
    path,
    bytes: statSync(path).isDirectory() ? folderBytes(path) : statSync(path).size,
    trained: weights.kind,
    config: weights.config,
    about: weights.about,
    tensors: Object.keys(weights.tensors).length,
    parameters,
    parts,
  };
}

/** How many samples have each value. */
function countBy(
  samples: readonly SampleMeta[],
  of: (meta: SampleMeta) => string | number | null | undefined,
) {
  const counts = new Map<string, number>();
  for (const meta of samples) {
    const value = String(of(meta) ?? 'none');
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })));
}

async function shardsInfo(path: string): Promise<ShardsInfo> {
  const datasets = readDatasets(path);
  const set = await openSamples([path]);
  const { samples } = set;
  await set.close();
  const groups = [...new Set(samples.flatMap((meta) => Object.keys(meta.groups)))].sort();
  const dimensions = [...new Set(samples.flatMap((meta) => Object.keys(meta.dimensions ?? {})))];
  const sum = (of: (meta: SampleMeta) => number): number =>
    samples.reduce((total, meta) => total + of(meta), 0);
  const remarks = datasets.flatMap((dataset) => [...dataset.notListed, ...dataset.leftOut]);
  const leftOut: Record<string, number> = {};
  for (const { why } of remarks) leftOut[why] = (leftOut[why] ?? 0) + 1;
  return {
    kind: 'samples',
    path,
    bytes: folderBytes(path),
    shards: readdirSync(path).filter((name) => name.endsWith('.tar')).length,
    samples: samples.length,
    withFace: samples.filter(({ frameCount }) => frameCount > 0).length,
    withSound: samples.filter(({ sampleCount }) => sampleCount > 0).length,
    frames: sum(({ frameCount }) => frameCount),
    soundHours: sum(({ sampleCount }) => sampleCount) / 16000 / 3600,
    identities: new Set(
      samples.flatMap(({ corpus, identity }) => (identity === null ? [] : `${corpus}/${identity}`)),
    ).size,
    counts: {
      corpus: countBy(samples, ({ corpus }) => corpus),
      label: countBy(samples, ({ label }) => label),
      split: countBy(samples, ({ split }) => split),
      fold: countBy(samples, ({ fold }) => fold),
      cropPx: countBy(samples, ({ cropPx }) => cropPx),
      ...Object.fromEntries(groups.map((group) => [group, countBy(samples, (meta) => meta.groups[group])])),
    },
    dimensions: Object.fromEntries(
      dimensions.map((name) => {
        const values = samples.flatMap((meta) => meta.dimensions?.[name] ?? []);
        const least = values.reduce((a, b) => Math.min(a, b), Infinity);
        const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        return [name, { n: values.length, mean, least, most }];
      }),
    ),
    leftOut: datasets.length === 0 ? null : leftOut,
  };
}

const row = (name: string, value: string): string => `${name.padEnd(20)} ${value}`;
const megabytes = (bytes: number): string =>
  bytes < 1e5 ? `${String(bytes)} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${String(count)}`)
    .join(', ');

function printWeights(info: WeightsInfo, say: Say): void {
  const { about, config } = info;
  const what = info.trained === 'pretrain' ? 'pre-trained HiCMAE' : 'HiCMAE for reading';
  say(row(info.kind, `${what}, ${megabytes(info.bytes)}`));
  say(row('parameters', `${String(info.parameters)} in ${String(info.tensors)} tensors`));
  say(row('parts', list(info.parts)));
  for (const [name, value] of Object.entries(config)) say(row(name, JSON.stringify(value)));
  if (about.labels) say(row(about.outputs ?? 'outputs', about.labels.join(', ')));
  if (about.clip) say(row('clip', JSON.stringify(about.clip)));
  if (about.missingModalities !== null)
    say(row('one modality alone', about.missingModalities ? 'can be read' : 'was not trained'));
  for (const [name, value] of Object.entries(about.provenance)) say(row(name, value));
}

function printShards(info: ShardsInfo, say: Say): void {
  say(
    row(
      'prepared samples',
      `${String(info.samples)} in ${String(info.shards)} shard(s), ${megabytes(info.bytes)}`,
    ),
  );
  say(row('faces', `${String(info.withFace)} samples, ${String(info.frames)} frames`));
  say(row('sound', `${String(info.withSound)} samples, ${info.soundHours.toFixed(2)} hours`));
  say(row('people', info.identities === 0 ? 'not told' : String(info.identities)));
  for (const [name, counts] of Object.entries(info.counts)) say(row(name, list(counts)));
  for (const [name, { n, mean, least, most }] of Object.entries(info.dimensions))
    say(row(name, `${String(n)} samples, ${short(least)} to ${short(most)}, mean ${short(mean)}`));
  const leftOut = Object.entries(info.leftOut ?? {});
  if (leftOut.length > 0) say(row('left out', leftOut.map(([why, n]) => `${String(n)} ${why}`).join('; ')));
}

/**
 * Tells what a path is.
 * @param curves whether a run's curves are written to its folder
 * @throws Problem when there is nothing, or it is nothing of ours
 */
export async function info(
  path: string,
  options: { readonly json: boolean; readonly curves: boolean },
  say: Say,
): Promise<Info> {
  const print: Say = options.json ? () => undefined : say;
  const found = statSync(path, { throwIfNoEntry: false });
  const ofRun = async (run: string): Promise<RunInfo> => {
    const { info: one, curves } = runInfo(run);
    print(`run ${run}, ${megabytes(one.bytes)}`);
    printRun(one, curves, print);
    if (options.curves) print(`Curves: ${await writeCurves(one, curves)}`);
    return one;
  };
  const look = async (): Promise<Info> => {
    if (found === undefined) {
      throw new Problem(
        'unsupported-file',
        `${path} does not exist: wanted a run, a model folder, a file of weights, or a folder of prepared samples.`,
      );
    }
    if (!found.isDirectory()) {
      const weights = await weightsInfo(path, 'weights');
      printWeights(weights, print);
      return weights;
    }
    if (isRun(path)) return ofRun(path);
    const names = readdirSync(path).sort();
    if (names.includes('manifest.json') || names.includes('model.safetensors')) {
      const model = await weightsInfo(path, 'model');
      printWeights(model, print);
      return model;
    }
    if (names.some((name) => name.endsWith('.tar') || /^(dataset|journal).*\.jsonl?$/.test(name))) {
      const shards = await shardsInfo(path);
      printShards(shards, print);
      return shards;
    }
    const below = names
      .map((name) => join(path, name))
      .filter((one) => statSync(one).isDirectory() && isRun(one));
    if (below.length === 0) {
      throw new Problem(
        'unsupported-file',
        `${path} holds ${names.slice(0, 5).join(', ') || 'nothing'}; wanted a run (log.jsonl), a model (manifest.json, model.safetensors) or prepared samples (*.tar).`,
      );
    }
    const runs: RunInfo[] = [];
    for (const run of below) runs.push(await ofRun(run));
    return { kind: 'runs', path, runs };
  };
  const result = await look();
  if (options.json) say(JSON.stringify(result, null, 2));
  return result;
}

export function infoCommand(say: Say): Command {
  return new Command('info')
    .description(
      'Tell what a path is: a run (with its curves, also as RUN/curves.html), a model folder, a .safetensors or .pth file, a folder of prepared samples.',
    )
    .argument('<path>', 'folder or file')
    .option('--json', 'print it as JSON', false)
    .option('--no-curves', "do not write a run's curves.html")
    .action(async (path: string, options: { json: boolean; curves: boolean }) => {
      await info(path, options, say);
    });
}
