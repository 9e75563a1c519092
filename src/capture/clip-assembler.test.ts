import { describe, expect, it } from 'vitest';
import { officialClipSpec } from '../clip/spec.ts';
import type { Clip, ClipSpec } from '../clip/spec.ts';
import { createClipAssembler } from './clip-assembler.ts';
import type { FaceObservation } from './face-protocol.ts';
import { wholeSound } from './sound-ring.ts';
import { defined } from '../base/assert.ts';
import { random } from '../base/random.ts';
import { kaldiFbank } from '../clip/log-mel.ts';
import { speechSpectrum } from '../clip/usual-voice.ts';

const spec: ClipSpec = { ...officialClipSpec, cropPx: 1 };
const center = { x: 0.5, y: 0.5 };

/** A crop whose one pixel tells its number. */
function face(timeMs: number): FaceObservation {
  return {
    timeMs,
    box: { ...center, width: 0.2, height: 0.2 },
    points: { rightEye: center, leftEye: center, mouth: center },
    score: 0.9,
    crop: new Uint8ClampedArray(3).fill(timeMs / 40),
  };
}

/** Looks 40 ms apart from fromMs to toMs, both included. */
function looks(
  fromMs: number,
  toMs: number,
  visible: (timeMs: number) => boolean = () => true,
  cutter = createClipAssembler(spec, null),
) {
  for (let ms = fromMs; ms <= toMs; ms += 40) cutter.addFace(ms, visible(ms) ? face(ms) : null);
  return cutter;
}
const slots = (frames: Uint8ClampedArray | null | undefined): number[] =>
  Array.from({ length: 16 }, (_, k) => frames?.[3 * k] ?? -1);

describe('clip assembler', () => {
  it('takes every slot from the nearest look', () => {
    const clip = looks(0, 4000).cut(4000);
    expect(clip?.endMs).toBe(4000);
    expect(slots(clip?.frames)).toEqual(Array.from({ length: 16 }, (_, k) => 100 - 4 * (15 - k)));
  });

  it('may end in the past, and knows nothing of what came after', () => {
    const clip = looks(0, 5000).cut(3200);
    expect(slots(clip?.frames).at(-1)).toBe(80);
  });

  it('has no face in the first moments, then repeats the first', () => {
    expect(looks(2000, 2800).cut(2800)).toBeNull();
    const frames = slots(looks(2000, 3000).cut(3000)?.frames);
    expect(frames.slice(0, 9)).toEqual(Array<number>(9).fill(50));
    expect(frames.at(-1)).toBe(75);
  });

  it('bridges a short miss and not a long one', () => {
    const short = looks(0, 4000, (ms) => ms < 3000 || ms > 3600).cut(4000);
    expect(short?.frames?.length).toBe(48);
    expect(looks(0, 4000, (ms) => ms < 2600).cut(4000)).toBeNull();
    expect(looks(0, 9000, (ms) => ms < 1000).cut(9000)).toBeNull();
    expect(createClipAssembler(spec, null).cut(1000)).toBeNull();
  });

  it('cuts a few frames far apart as well: 4 of them, 640 ms apart', () => {
    const sparse: ClipSpec = { ...spec, frameCount: 4, frameIntervalMs: 640 };
    const numbers = (clip: Clip | null): number[] =>
      Array.from({ length: 4 }, (_, k) => clip?.frames?.[3 * k] ?? -1);
    const follow = (toMs: number, visible?: (timeMs: number) => boolean) =>
      looks(0, toMs, visible, createClipAssembler(sparse, null));
    expect(numbers(follow(4000).cut(4000))).toEqual([52, 68, 84, 100]);
    // The first second of a recording: the slots before it repeat its first look.
    expect(follow(840).cut(840)).toBeNull();
    expect(numbers(follow(1000).cut(1000))).toEqual([0, 0, 9, 25]);
    const gone = (sinceMs: number) => follow(4000, (ms) => ms <= 4000 - sinceMs).cut(4000);
    expect(numbers(gone(900))).toEqual([52, 68, 77, 77]);
    expect(gone(1640)).toBeNull();
  });

  it('keeps what was heard in its place when a file’s sound ends before its picture', () => {
    const voice = wholeSound(
      Float32Array.from({ length: 48000 }, (_, i) => (i % 6400 < 3200 ? 0.1 * Math.cos(i / 10) : 0)),
    );
    const samples = createClipAssembler(spec, voice).cut(4000)?.samples;
    expect(samples?.length).toBe(40960);
    expect(samples?.subarray(40960 - 16000).every((sample) => sample === 0)).toBe(true);
    expect(samples?.subarray(0, 40960 - 16000)).toEqual(voice.read(3000, 1560));
  });

  it('cuts speech out of the pauses around it for a model of speech alone', () => {
    const speechOnly: ClipSpec = { ...spec, shortSound: 'speech' };
    const stream = random(7);
    /** Two seconds of speech from the third second on, in a faint room. */
    const samples = Float32Array.from(
      { length: 8 * 16000 },
      (_, i) => (i >= 3 * 16000 && i < 5 * 16000 ? 0.1 : 0.0005) * stream.normal(),
    );
    const cut = (endMs: number): Float32Array =>
      defined(createClipAssembler(speechOnly, wholeSound(samples)).cut(endMs)?.samples ?? null, 'samples');
    const said = (fromS: number, toS: number): Float32Array => samples.subarray(fromS * 16000, toS * 16000);
    /** Where a part of the sound lies in a clip, in milliseconds from its middle. */
    const middle = (clip: Float32Array, part: Float32Array): number =>
      (clip.findIndex((value, i) => value === part[0] && clip[i + 9] === part[9]) + part.length / 2 - 20480) /
      16;
    // A second after its end all of it is still there, in the middle: 0.3 s before and after it fill the clip.
    const whole = cut(6000);
    expect(whole.length).toBe(40960);
    expect(Math.abs(middle(whole, said(3, 5)))).toBeLessThan(40);
    expect(whole.filter((value) => Math.abs(value) > 0.01).length).toBeGreaterThan(0.9 * 32000);
    // Half a second after its beginning little is known, with nothing but silence around it.
    const begun = cut(4200);
    expect(Math.abs(middle(begun, said(3, 4.2)))).toBeLessThan(200);
    expect(begun.subarray(0, 8000).every((value) => value === 0)).toBe(true);
    expect(begun.subarray(-8000).every((value) => value === 0)).toBe(true);
  });

  it('learns a speaker’s usual voice, so that gain is taken out and what is louder than usual stays so', () => {
    const usualSpectrum = new Array<number>(128).fill(-7);
    const usual = { ...spec, usualSpectrum };
    /** Syllables of noise; from 30 s on 14 dB louder. */
    const speech = (gain: number): ReturnType<typeof wholeSound> => {
      const stream = random(8);
      return wholeSound(
        Float32Array.from(
          { length: 34 * 16000 },
          (_, i) => gain * (i < 30 * 16000 ? 1 : 5) * (i % 6400 < 3200 ? 0.1 : 0.001) * stream.normal(),
        ),
      );
    };
    /** Level of the clips as the model hears them, in ln of the energy. */
    const levels = (voice: ReturnType<typeof wholeSound>, ...seconds: readonly number[]): number[] => {
      const assembler = createClipAssembler(usual, voice);
      const heard = new Map<number, number>();
      for (let endMs = 2000; endMs <= 34_000; endMs += 500) {
        const { samples, equalizer } = defined(assembler.cut(endMs), 'clip');
        const { frames } = kaldiFbank(defined(samples, 'samples').subarray(-16000), { bandLimitHz: null });
        const { mean } = speechSpectrum(frames, 128, 128);
        heard.set(endMs / 1000, mean.reduce((sum, value, m) => sum + value + equalizer![m]!, 0) / 128);
      }
      return seconds.map((second) => heard.get(second)!);
    };
    const [first, later, loud] = levels(speech(1), 2, 30, 31);
    const faint = levels(speech(0.1), 2, 30, 31);
    expect(first).toBeCloseTo(-7, 0);
    expect(later).toBeCloseTo(-7, 0);
    expect(loud! - later!).toBeGreaterThan(2.5);
    [first, later, loud].forEach((level, i) => {
      expect(faint[i]).toBeCloseTo(level!, 1);
    });
    const asItIs = createClipAssembler(spec, speech(1)).cut(8000);
    expect(asItIs?.equalizer).toBeNull();
    expect(asItIs?.samples).toEqual(speech(1).read(8000, 2560));
  });

  it('learns a voice from what is new in each clip, anew when time goes back', () => {
    const usual = { ...spec, usualSpectrum: new Array<number>(128).fill(-7) };
    const stream = random(9);
    const voice = wholeSound(
      Float32Array.from({ length: 20 * 16000 }, (_, i) => (i % 6400 < 3200 ? 0.1 : 0.001) * stream.normal()),
    );
    const once = createClipAssembler(usual, voice);
    const equalizer = once.cut(4000)?.equalizer;
    // The same clip again holds nothing new.
    expect(once.cut(4000)?.equalizer).toEqual(equalizer);
    expect(once.cut(8000)?.equalizer).not.toEqual(equalizer);
    expect(once.cut(4000)?.equalizer).toEqual(equalizer);
    // Without a voice nothing is learned.
    expect(createClipAssembler(usual, wholeSound(new Float32Array(80000))).cut(4000)).toBeNull();
  });

  it('starts anew when time goes back', () => {
    const cutter = looks(6000, 10000);
    looks(0, 400, () => true, cutter);
    expect(cutter.cut(400)).toBeNull();
  });

  it('takes sound only when there is a voice, with or without a face', () => {
    const voice = wholeSound(
      Float32Array.from({ length: 80000 }, (_, i) => (i % 6400 < 3200 ? 0.1 * Math.sin(i / 10) : 0)),
    );
    const silence = wholeSound(new Float32Array(80000));
    const both = looks(0, 4000, () => true, createClipAssembler(spec, voice)).cut(4000);
    expect(both?.samples?.length).toBe(40960);
    expect(both?.frames).not.toBeNull();
    const heard = createClipAssembler(spec, voice).cut(4000);
    expect(heard?.frames).toBeNull();
    expect(heard?.samples?.length).toBe(40960);
    const seen = looks(0, 4000, () => true, createClipAssembler(spec, silence)).cut(4000);
    expect(seen?.samples).toBeNull();
    expect(createClipAssembler(spec, silence).cut(4000)).toBeNull();
  });
});
