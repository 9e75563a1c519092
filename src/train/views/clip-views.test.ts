// Views of made samples: what each holds for pictures, sound, both, stills, short and silent recordings.
import { describe, expect, test } from 'vitest';
import { random } from '../../base/random.ts';
import { normalizeFrames, resizeBilinear } from '../../clip/frames.ts';
import { logMel } from '../../clip/log-mel.ts';
import { sizes } from '../../model/config.ts';
import { pretrainingView, testViews, trainingView } from './clip-views.ts';
import type { ViewOptions } from './clip-views.ts';
import type { SampleMeta, SampleSet } from '../data/sample.ts';

interface Made {
  readonly set: SampleSet;
  readonly pictures: readonly Uint8ClampedArray[];
  readonly sound: Float32Array | null;
  /** Frames that were read, call by call. */
  readonly read: (readonly number[])[];
}

/** One sample with noise for pictures and sound; a silent one holds zeros. */
function makeSample(meta: Partial<SampleMeta>, silent = false): Made {
  const stream = random(21);
  const { frameCount = 0, cropPx = 48, sampleCount = 0 } = meta;
  const sample: SampleMeta = {
    key: 'made',
    corpus: 'made',
    source: 'made.mp4',
    label: 'joy',
    votes: null,
    dimensions: null,
    identity: null,
    fold: null,
    split: null,
    groups: {},
    frameCount,
    frameRateHz: frameCount > 1 ? 25 : 0,
    cropPx: frameCount > 0 ? cropPx : 0,
    foundCount: frameCount,
    sampleCount,
    ...meta,
  };
  const pictures = Array.from({ length: frameCount }, () =>
    new Uint8ClampedArray(cropPx * cropPx * 3).map(() => stream.integer(256)),
  );
  const sound =
    sampleCount === 0 ? null : new Float32Array(sampleCount).map(() => (silent ? 0 : 0.2 * stream.normal()));
  const read: (readonly number[])[] = [];
  const set: SampleSet = {
    samples: [sample],
    classes: ['joy'],
    frames: (_, which) => {
      read.push(which);
      return Promise.resolve(which.map((frame) => pictures[frame]!));
    },
    sound: () => Promise.resolve(sound),
    close: () => Promise.resolve(),
  };
  return { set, pictures, sound, read };
}

const config = { ...sizes.nano, video: { ...sizes.nano.video, frameCount: 16 } };
const options: ViewOptions = {
  config,
  color: 'rgb',
  bandLimitHz: null,
  frameStep: 4,
  equalizers: null,
  shortSound: 'official',
  augment: 'none',
  roll: false,
};
const official: ViewOptions = { ...options, augment: 'official', roll: true };

const frameLength = 48 * 48 * 3;
const frameOf = (frames: Float32Array | null, t: number): Float32Array =>
  frames!.subarray(t * frameLength, (t + 1) * frameLength);

/** The recording's frame that a view's frame t shows unchanged. */
function findFrame(made: Made, frames: Float32Array | null, t: number): number {
  const wanted = frameOf(frames, t);
  return made.pictures.findIndex((picture) => normalizeFrames(picture).every((x, i) => x === wanted[i]));
}

/** Of big arrays; toEqual takes long to compare them. */
function same(a: Float32Array | null, b: Float32Array | null): boolean {
  return a !== null && b !== null && a.length === b.length && a.every((x, i) => x === b[i]);
}

describe('views for training', () => {
  test('have the configured shapes and finite values, and repeat from the same seed only', async () => {
    const made = makeSample({ frameCount: 90, sampleCount: 58000 });
    for (const view of [trainingView, pretrainingView]) {
      const first = await view(made.set, 0, official, random(1));
      const again = await view(made.set, 0, official, random(1));
      const other = await view(made.set, 0, official, random(2));
      expect(first.frames).toHaveLength(16 * frameLength);
      expect(first.mel).toHaveLength(256 * 128);
      expect(first.frames!.every(Number.isFinite) && first.mel!.every(Number.isFinite)).toBe(true);
      expect(same(again.frames, first.frames) && same(again.mel, first.mel)).toBe(true);
      expect(same(other.frames, first.frames)).toBe(false);
      expect(same(other.mel, first.mel)).toBe(false);
    }
    expect(made.read.every((which) => which.length <= 16 && new Set(which).size === which.length)).toBe(true);
  });

  test('without augmentation show 16 frames over 64, and the sound of those frames', async () => {
    const made = makeSample({ frameCount: 90, sampleCount: 58000 });
    const { frames, mel } = await trainingView(made.set, 0, options, random(3));
    const first = findFrame(made, frames, 0);
    const last = findFrame(made, frames, 15);
    expect(last - first).toBe(63);
    const range = [first, Math.min(first + 64, 89)].map((i) => Math.trunc((i / 89) * 58000));
    expect(mel).toEqual(logMel(made.sound!.subarray(range[0], range[1]), { bandLimitHz: null }));
  });

  test('change all frames of a still alike, but for erased noise', async () => {
    const made = makeSample({ frameCount: 1 });
    let plain = 0;
    for (let seed = 0; seed < 20; seed++) {
      const { frames, mel } = await trainingView(made.set, 0, official, random(seed));
      expect(mel).toBeNull();
      // Only erasing differs from frame to frame; a quarter of the views have it.
      const differing = Array.from({ length: 15 }, (_, t) =>
        frameOf(frames, t + 1).reduce((n, x, i) => n + (x === frames![i] ? 0 : 1), 0),
      );
      expect(Math.max(...differing)).toBeLessThan(frameLength * 0.36);
      expect(differing.every((n) => n === 0) || differing.every((n) => n > 0)).toBe(true);
      if (differing[0] === 0) plain++;
    }
    expect(plain).toBeGreaterThan(9);
    expect(made.read.every((which) => which.join() === '0')).toBe(true);
  });

  test('repeat the last frames of a recording shorter than a clip', async () => {
    const made = makeSample({ frameCount: 9, sampleCount: 5760 });
    const { frames, mel } = await trainingView(made.set, 0, options, random(1));
    const shown = Array.from({ length: 16 }, (_, t) => findFrame(made, frames, t));
    expect(shown).toEqual([0, ...Array<number>(15).fill(8)]);
    // The whole sound, then rows of zero in the log domain.
    expect(mel).toEqual(logMel(made.sound!, { bandLimitHz: null }));
  });

  test('multiply the sound by 0.5 to 1.5 where the gain is on', async () => {
    const made = makeSample({ sampleCount: 30000 });
    const plain = await trainingView(made.set, 0, options, random(4));
    const gains = [];
    for (let seed = 0; seed < 20; seed++) {
      const { mel } = await trainingView(made.set, 0, { ...options, roll: true }, random(seed));
      // A gain shifts the logarithm by its own, twice over for power; normalization divides by 2 x 4.569.
      gains.push(Math.exp(((mel![5000]! - plain.mel![5000]!) * 2 * 4.5689974) / 2));
    }
    expect(Math.min(...gains)).toBeGreaterThan(0.5);
    expect(Math.max(...gains)).toBeLessThan(1.5);
    expect(new Set(gains.map((gain) => gain.toFixed(3))).size).toBeGreaterThan(15);
  });

  test('of sound alone begin anywhere', async () => {
    const made = makeSample({ sampleCount: 80000 });
    const views = await Promise.all(
      [1, 2, 3].map((seed) => trainingView(made.set, 0, options, random(seed))),
    );
    expect(views.every(({ frames }) => frames === null)).toBe(true);
    expect(new Set(views.map(({ mel }) => mel![0])).size).toBe(3);
    expect(made.read).toEqual([]);
  });

  test('of silence, and of sound too short for a spectrogram, hold the floor and padding', async () => {
    const silent = await trainingView(makeSample({ sampleCount: 50000 }, true).set, 0, official, random(1));
    expect(new Set(silent.mel!.subarray(0, 254 * 128)).size).toBe(1);
    expect(silent.mel![0]).toBeCloseTo((Math.log(2 ** -23) + 4.2677393) / (2 * 4.5689974), 5);
    const short = await trainingView(makeSample({ sampleCount: 300 }).set, 0, official, random(1));
    expect(new Set(short.mel).size).toBe(1);
    expect(short.mel![0]).toBeCloseTo(4.2677393 / (2 * 4.5689974), 5);
  });

  test('make only the part that is asked for', async () => {
    const made = makeSample({ frameCount: 70, sampleCount: 45000 });
    for (const view of [trainingView, pretrainingView]) {
      const picture = await view(made.set, 0, { ...options, parts: 'picture' }, random(1));
      expect([picture.frames === null, picture.mel === null]).toEqual([false, true]);
      const sound = await view(made.set, 0, { ...options, parts: 'sound' }, random(1));
      expect([sound.frames === null, sound.mel === null]).toEqual([true, false]);
    }
  });

  test('take other changes of frames and sound, where they are told and nowhere else', async () => {
    const made = makeSample({ frameCount: 70, sampleCount: 45000 });
    const own = { ...official, augment: 'mild' } as const;
    const [plain, mild] = await Promise.all(
      [official, own].map((one) => trainingView(made.set, 0, one, random(9))),
    );
    expect(same(plain!.frames, mild!.frames)).toBe(false);
    expect(same(plain!.mel, mild!.mel)).toBe(false);
    expect(mild!.frames!.every(Number.isFinite) && mild!.mel!.every(Number.isFinite)).toBe(true);
    const [valid, ownValid] = await Promise.all(
      [options, { ...own, augment: 'none', roll: false } as const].map((one) =>
        trainingView(made.set, 0, one, random(9)),
      ),
    );
    expect(same(valid!.frames, ownValid!.frames) && same(valid!.mel, ownValid!.mel)).toBe(true);
    const [tested] = await testViews(made.set, 0, options);
    const [ownTested] = await testViews(made.set, 0, own);
    expect(same(tested!.mel, ownTested!.mel)).toBe(true);
  });

  test('resize stored crops first', async () => {
    const made = makeSample({ frameCount: 1, cropPx: 64 });
    const { frames } = await trainingView(made.set, 0, options, random(1));
    const wanted = normalizeFrames(resizeBilinear(made.pictures[0]!, 64, 64, 48, 48));
    expect(frameOf(frames, 7)).toEqual(wanted);
  });
});

describe('views for pre-training', () => {
  test('step by four and read the sound by the clock', async () => {
    const made = makeSample({ frameCount: 100, sampleCount: 64000 });
    const { frames, mel } = await pretrainingView(made.set, 0, options, random(5));
    const shown = Array.from({ length: 16 }, (_, t) => findFrame(made, frames, t));
    const first = shown[0]!;
    expect(shown).toEqual(Array.from({ length: 16 }, (_, t) => first + 4 * t));
    // 65 frames of 40 ms from the first one's begin, to the sample before or after.
    const begin = Math.trunc(Math.fround(first / 25) * 16000);
    expect(Math.abs(begin - first * 640)).toBeLessThanOrEqual(1);
    expect(mel).toEqual(logMel(made.sound!.subarray(begin, begin + 41600), { bandLimitHz: null }));
  });

  test('stay on the last frame that a step may reach', async () => {
    const made = makeSample({ frameCount: 11, sampleCount: 7040 });
    const { frames } = await pretrainingView(made.set, 0, options, random(5));
    const shown = Array.from({ length: 16 }, (_, t) => findFrame(made, frames, t));
    expect(shown).toEqual([0, 4, ...Array<number>(14).fill(8)]);
  });

  test('cut the same window from all frames', async () => {
    const made = makeSample({ frameCount: 1 });
    const { frames } = await pretrainingView(made.set, 0, official, random(8));
    for (let t = 1; t < 16; t++) expect(same(frameOf(frames, t), frameOf(frames, 0))).toBe(true);
    const windows = new Set<number>();
    for (let seed = 0; seed < 20; seed++) {
      const view = await pretrainingView(made.set, 0, official, random(seed));
      windows.add(view.frames!.reduce((a, b) => a + b, 0));
    }
    expect(windows.size).toBeGreaterThan(8);
  });
});

describe('views for testing', () => {
  test('are the first clip and the last one', async () => {
    const made = makeSample({ frameCount: 150, sampleCount: 96000 });
    const views = await testViews(made.set, 0, options);
    expect(views.map(({ frames }) => [findFrame(made, frames, 0), findFrame(made, frames, 15)])).toEqual([
      [0, 60],
      [88, 148],
    ]);
    const at = (frame: number): number => Math.trunc((frame / 149) * 96000);
    expect(views[0]!.mel).toEqual(logMel(made.sound!.subarray(0, at(64)), { bandLimitHz: null }));
    expect(views[1]!.mel).toEqual(logMel(made.sound!.subarray(at(88), at(149)), { bandLimitHz: null }));
    expect(made.read).toHaveLength(1);
    const again = await testViews(made.set, 0, official, null);
    expect(
      again.every(({ frames, mel }, s) => same(frames, views[s]!.frames) && same(mel, views[s]!.mel)),
    ).toBe(true);
    const rolled = await testViews(made.set, 0, official, random(1));
    expect(same(rolled[0]!.frames, views[0]!.frames)).toBe(true);
    expect(same(rolled[0]!.mel, views[0]!.mel)).toBe(false);
  });

  test('are one where first and last clip are the same', async () => {
    const short = makeSample({ frameCount: 30, sampleCount: 19200 });
    expect(await testViews(short.set, 0, options)).toHaveLength(1);
    const still = makeSample({ frameCount: 1 });
    const views = await testViews(still.set, 0, options);
    expect(views).toHaveLength(1);
    expect(views[0]!.mel).toBeNull();
    expect(frameOf(views[0]!.frames, 15)).toEqual(normalizeFrames(still.pictures[0]!));
  });

  test('of sound alone are its first and its last 2.56 s, or all of a short one', async () => {
    const long = makeSample({ sampleCount: 60000 });
    const views = await testViews(long.set, 0, options);
    expect(views.map(({ mel }) => mel)).toEqual([
      logMel(long.sound!.subarray(0, 40960), { bandLimitHz: null }),
      logMel(long.sound!.subarray(19040), { bandLimitHz: null }),
    ]);
    expect(await testViews(makeSample({ sampleCount: 40000 }).set, 0, options)).toHaveLength(1);
  });

  test('give a still with long sound its beginning and its end', async () => {
    const made = makeSample({ frameCount: 1, sampleCount: 60000 });
    const views = await testViews(made.set, 0, options);
    expect(views).toHaveLength(2);
    expect(same(views[0]!.frames, views[1]!.frames)).toBe(true);
    expect(same(views[0]!.mel, views[1]!.mel)).toBe(false);
    const pictureOnly = await testViews(made.set, 0, { ...options, parts: 'picture' });
    expect(pictureOnly).toHaveLength(1);
    expect(pictureOnly[0]!.mel).toBeNull();
  });

  test('put a short sound in the middle of silence where that is asked for', async () => {
    const made = makeSample({ frameCount: 0, sampleCount: 20_000 });
    const view = async (shortSound: 'official' | 'silence'): Promise<Float32Array> =>
      (await testViews(made.set, 0, { ...options, shortSound }))[0]!.mel!;
    const bins = config.audio.melBins;
    const row = (mel: Float32Array, at: number): Float32Array => mel.subarray(at * bins, (at + 1) * bins);
    const [official, silence] = [await view('official'), await view('silence')];
    // Zero in the log domain is loud; silence is the filterbank's floor, before the sound and behind it.
    const behind = row(official, 250)[0]!;
    const floor = row(silence, 0)[0]!;
    expect(floor).toBeLessThan(behind - 1);
    expect(row(silence, 0).every((value) => value === floor)).toBe(true);
    expect(row(silence, 250).every((value) => value === floor)).toBe(true);
    expect(row(official, 0)[0]).not.toBe(behind);
    expect(row(silence, 128).some((value) => value > floor)).toBe(true);
  });

  test('read only what lies between pauses where that is asked for', async () => {
    const made = makeSample({ frameCount: 0, sampleCount: 60_000 });
    const padded = new Float32Array(60_000 + 48_000);
    padded.set(made.sound!, 16_000);
    const between: SampleSet = {
      ...made.set,
      samples: [{ ...made.set.samples[0]!, sampleCount: padded.length }],
      sound: () => Promise.resolve(padded),
    };
    const [asIs, paused] = await Promise.all(
      [made.set, between].map((set) => testViews(set, 0, { ...options, shortSound: 'speech' })),
    );
    expect(asIs).toHaveLength(2);
    expect(paused).toHaveLength(2);
    const bins = config.audio.melBins;
    // The same speech, with 0.3 s of silence before its beginning.
    const first = [29, 30, 31, 32].filter((frame) =>
      same(
        paused![0]!.mel!.subarray((frame + 1) * bins, 254 * bins),
        asIs![0]!.mel!.subarray(bins, (254 - frame) * bins),
      ),
    );
    expect(first).toHaveLength(1);
    const before = paused![0]!.mel!.subarray(0, 28 * bins);
    expect(before.every((value) => value === before[0])).toBe(true);
    // With its picture sound keeps its place; pauses at a window's ends are cut all the same.
    const seen = makeSample({ frameCount: 100, sampleCount: 64_000 });
    const views = await testViews(seen.set, 0, { ...options, shortSound: 'speech' });
    const plain = await testViews(seen.set, 0, { ...options, shortSound: 'silence' });
    expect(views.map(({ mel }) => mel)).toEqual(plain.map(({ mel }) => mel));
    const drawn = await trainingView(between, 0, { ...options, shortSound: 'speech' }, random(1));
    expect(drawn.mel!.length).toBe(asIs![0]!.mel!.length);
  });
});
