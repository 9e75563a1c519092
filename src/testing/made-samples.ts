// A small prepared data set of patterns and tones, for tests of training and scoring: what is seen and heard tells the label.
import sharp from 'sharp';
import { random } from '../base/random.ts';
import type { SampleMeta } from '../train/data/sample.ts';
import { openShardWriter } from '../train/data/shards/write.ts';

export interface MadeSet {
  /** Samples with a face and a voice, with a face alone, with a voice alone. */
  readonly pairs: number;
  readonly faces?: number;
  readonly voices?: number;
  readonly cropPx?: number;
  readonly frameCount?: number;
  readonly corpus?: string;
  /** What all sound is multiplied by; default 1. */
  readonly soundGain?: number;
}

const labels = ['happy', 'sad'] as const;

/** Writes the set into a folder of shards; labels alternate, folds are 1 and 2, valence follows the label. */
export async function writeMadeSamples(folder: string, made: MadeSet): Promise<void> {
  const { cropPx = 32, frameCount = 30, corpus = 'made', soundGain = 1 } = made;
  const stream = random(5);
  const writer = openShardWriter(folder, 'shard');
  const kinds = [
    ...Array.from({ length: made.pairs }, () => 'pair'),
    ...Array.from({ length: made.faces ?? 0 }, () => 'face'),
    ...Array.from({ length: made.voices ?? 0 }, () => 'voice'),
  ];
  for (const [i, kind] of kinds.entries()) {
    const label = labels[i % 2]!;
    const shown = kind === 'voice' ? 0 : frameCount;
    const frames: Uint8Array[] = [];
    for (let t = 0; t < shown; t++) {
      const pixels = new Uint8Array(cropPx * cropPx * 3);
      for (let p = 0; p < pixels.length; p++) {
        const upper = p < pixels.length / 2;
        pixels[p] = (upper === (label === 'happy') ? 190 : 60) + stream.integer(40) + ((t + i) % 10);
      }
      const raw = { width: cropPx, height: cropPx, channels: 3 } as const;
      frames.push(await sharp(pixels, { raw }).png().toBuffer());
    }
    const sampleCount = kind === 'face' ? 0 : 24_000;
    const tone = label === 'happy' ? 0.2 : 0.05;
    const sound = Float32Array.from(
      { length: sampleCount },
      (_, n) => soundGain * (0.3 * Math.sin(n * tone) + 0.05 * (stream.uniform() - 0.5)),
    );
    const meta: SampleMeta = {
      key: `${kind}-${String(i)}`,
      corpus,
      source: `${kind}-${String(i)}.mp4`,
      label,
      votes: { [label]: 8, [labels[(i + 1) % 2]!]: 2 },
      dimensions: {
        valence: (label === 'happy' ? 0.5 : -0.5) + 0.1 * stream.uniform(),
        arousal: stream.uniform(),
      },
      identity: `person-${String(i % 6)}`,
      fold: 1 + (Math.floor(i / 2) % 2),
      split: null,
      groups: { sex: i % 4 < 2 ? 'female' : 'male' },
      frameCount: shown,
      frameRateHz: shown > 1 ? 25 : 0,
      cropPx: shown > 0 ? cropPx : 0,
      foundCount: shown,
      sampleCount,
    };
    writer.add({ meta, frames, frameFormat: 'png', sound: sampleCount > 0 ? sound : null });
  }
  writer.finish();
}
