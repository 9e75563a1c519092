// Whether the pauses around voices are part of what a run trains on, and of what its model reads.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { sizes } from '../../../model/config.ts';
import { writeMadeStills } from '../../../testing/made-stills.ts';
import { finetuneStills } from '../../commands/finetune-stills.ts';
import { recipes } from '../../recipe/recipes.ts';
import { readWeights } from '../../weights/read-weights.ts';
import { stillsClipSpec } from './stills-run.ts';
import { loadTrainingData } from './training-data.ts';

const root = mkdtempSync(join(tmpdir(), 'voice-ends-'));
const { voices } = writeMadeStills(root);
const silent = (): void => undefined;
const data = { voices, fold: 1, align: 'as-is' } as const;

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

test('a run that leaves out the pauses around voices makes a model that does so too', async () => {
  const few = {
    size: 'micro',
    batchFaces: 0,
    batchVoices: 2,
    pairs: 0,
    threads: 1,
    warmup: 1,
    steps: 1,
  } as const;
  const rest = { resume: false, checkpointEvery: 3, validateEvery: 500, minutes: Infinity } as const;
  const stage = recipes['nano']!.finetune.at(-1)!;
  for (const [voiceEnds, shortSound] of [
    ['cut', 'speech'],
    ['keep', 'silence'],
  ] as const) {
    const out = join(root, voiceEnds);
    await finetuneStills({ ...stage, ...data, ...few, ...rest, voiceEnds, out, backend: 'wasm' }, silent);
    expect((await readWeights(out)).about.clip?.shortSound).toBe(shortSound);
    const config = sizes.micro;
    const loaded = await loadTrainingData(
      { ...data, threads: 1 },
      config,
      stillsClipSpec(config, shortSound),
      silent,
    );
    expect(loaded.voices?.speechOnly).toBe(voiceEnds === 'cut');
    expect(loaded.validVoices?.speechOnly).toBe(voiceEnds === 'cut');
  }
  expect(stage.voiceEnds).toBe('cut');
});
