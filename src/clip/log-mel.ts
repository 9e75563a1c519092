// Sound to the model's spectrogram: Kaldi's log-mel filterbank as torchaudio computes it, the same in browser and Node.
import { assert } from '../base/assert.ts';
import { realFft } from './fft.ts';

/** Everything below is for this rate (HiCMAE, official code). */
export const sampleRateHz = 16000;

const frameSamples = 400; // 25 ms
const shiftSamples = 160; // 10 ms
const fftSize = 512;
const preEmphasis = 0.97;
const lowHz = 20;
const highHz = 8000;
const energyFloor = 2 ** -23;
/** What a bin without energy holds: ln(2^-23), about -15.94. */
export const logFloor = Math.log(energyFloor);
/** Mean and standard deviation over the official training data; the normalized value is (x - mean) / (2 std). */
const logMelMean = -4.2677393;
const logMelStd = 4.5689974;

export interface LogMelOptions {
  /** Bins centered above this hold the log floor (ours, for models trained on band-limited voices); null: the official filterbank. */
  readonly bandLimitHz: number | null;
  /** F, frames of the output; 256 unless told (the model's config.audio.frameCount). */
  readonly frameCount?: number;
  /** M, mel bins; 128 unless told (the model's config.audio.melBins). */
  readonly melBins?: number;
  /** Added to ln of the energies (usual-voice.ts); digital silence stays; shape [M]. null: the official filterbank. */
  readonly equalizer?: Float32Array | null;
}

/** Log-mel energies before padding and normalization. */
export interface FilterbankFrames {
  /** ln(energy); shape [frameCount, melBins]. */
  readonly frames: Float32Array;
  readonly frameCount: number;
  readonly melBins: number;
}

/** Triangles in sparse rows: bin m weighs the spectrum's bins first[m].. with weights from start[m] to start[m + 1]. */
interface MelBank {
  readonly first: Int32Array;
  readonly start: Int32Array;
  readonly weights: Float64Array;
  readonly centersHz: Float64Array;
}

const hzToMel = (hz: number): number => 1127 * Math.log(1 + hz / 700);
const melToHz = (mel: number): number => 700 * (Math.exp(mel / 1127) - 1);

function makeMelBank(melBins: number): MelBank {
  const lowMel = hzToMel(lowHz);
  const step = (hzToMel(highHz) - lowMel) / (melBins + 1);
  const first = new Int32Array(melBins);
  const start = new Int32Array(melBins + 1);
  const centersHz = new Float64Array(melBins);
  const weights: number[] = [];
  for (let m = 0; m < melBins; m++) {
    const left = lowMel + m * step;
    const middle = lowMel + (m + 1) * step;
    const right = lowMel + (m + 2) * step;
    centersHz[m] = melToHz(middle);
    first[m] = -1;
    // The Nyquist bin has no weight in Kaldi.
    for (let k = 0; k < fftSize / 2; k++) {
      const mel = hzToMel((k * sampleRateHz) / fftSize);
      const weight = Math.min((mel - left) / (middle - left), (right - mel) / (right - middle));
      if (weight <= 0) continue;
      if (first[m]! < 0) first[m] = k;
      weights.push(weight);
    }
    start[m + 1] = weights.length;
  }
  return { first, start, weights: Float64Array.from(weights), centersHz };
}

const melBanks = new Map<number, MelBank>();

function melBank(melBins: number): MelBank {
  let bank = melBanks.get(melBins);
  if (bank === undefined) {
    bank = makeMelBank(melBins);
    melBanks.set(melBins, bank);
  }
  return bank;
}

/** Symmetric Hann window. */
const hann = Float64Array.from(
  { length: frameSamples },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (frameSamples - 1)),
);

const fft = realFft(fftSize);

/** Frames that a sound gives before padding: 254 for 2.56 s (edges snipped, as in Kaldi). */
export function filterbankFrameCount(sampleCount: number): number {
  return sampleCount < frameSamples ? 0 : 1 + Math.floor((sampleCount - frameSamples) / shiftSamples);
}

/** The samples that frames are made of: the first one and one past the last. @param end one past the last frame */
export function filterbankSamples(first: number, end: number): readonly [begin: number, end: number] {
  return [first * shiftSamples, (end - 1) * shiftSamples + frameSamples];
}

/**
 * Kaldi's filterbank (HiCMAE, section "audio front end"): 25 ms frames, 10 ms apart; mean removed from each frame, which
 * makes the official subtraction of the whole sound's mean a no-op; pre-emphasis; Hann; power; triangles; ln.
 * @param samples mono, 16 kHz, -1..1
 * @param options frameCount is ignored here: all frames are returned
 */
export function kaldiFbank(
  samples: Float32Array,
  options: LogMelOptions = { bandLimitHz: null },
): FilterbankFrames {
  const melBins = options.melBins ?? 128;
  const frameCount = filterbankFrameCount(samples.length);
  const frames = new Float32Array(frameCount * melBins);
  fillFrames(frames, samples, frameCount, melBins, options.bandLimitHz);
  return { frames, frameCount, melBins };
}

/** Bins centered at most at the limit; those above hold the floor in any sound. */
export function usedBinCount(bandLimitHz: number | null, melBins: number): number {
  const { centersHz } = melBank(melBins);
  // Centers rise with the bin, so the limit is a count of bins.
  let used = melBins;
  if (bandLimitHz !== null) while (used > 0 && centersHz[used - 1]! > bandLimitHz) used--;
  return used;
}

/** Makes each bin louder by the equalizer, in place; digital silence stays. */
function equalize({ frames, melBins }: FilterbankFrames, equalizer: Float32Array): void {
  const silence = Math.fround(logFloor);
  frames.forEach((value, at) => {
    if (value > silence) frames[at] = Math.max(logFloor, value + equalizer[at % melBins]!);
  });
}

function fillFrames(
  frames: Float32Array,
  samples: Float32Array,
  frameCount: number,
  melBins: number,
  bandLimitHz: number | null,
): void {
  const { first, start, weights } = melBank(melBins);
  const { input } = fft;
  const usedBins = usedBinCount(bandLimitHz, melBins);
  for (let f = 0; f < frameCount; f++) {
    const offset = f * shiftSamples;
    let mean = 0;
    for (let i = 0; i < frameSamples; i++) mean += samples[offset + i]!;
    mean /= frameSamples;
    let previous = samples[offset]! - mean;
    for (let i = 0; i < frameSamples; i++) {
      const value = samples[offset + i]! - mean;
      input[i] = (value - preEmphasis * previous) * hann[i]!;
      previous = value;
    }
    const power = fft.powerSpectrum();
    const row = f * melBins;
    for (let m = 0; m < usedBins; m++) {
      const end = start[m + 1]!;
      let energy = 0;
      for (let w = start[m]!, k = first[m]!; w < end; w++, k++) energy += weights[w]! * power[k]!;
      frames[row + m] = energy > energyFloor ? Math.log(energy) : logFloor;
    }
    frames.fill(logFloor, row + usedBins, row + melBins);
  }
}

/**
 * The first `outputFrames` frames, or zero rows appended (in the log domain, as official); then (x - mean) / (2 std).
 * @returns shape [outputFrames, melBins]
 */
export function normalizeAndPad(fbank: FilterbankFrames, outputFrames = 256): Float32Array {
  const { frames, frameCount, melBins } = fbank;
  assert(frames.length >= frameCount * melBins, `${String(frames.length)} log-mel values are too few`);
  const output = new Float32Array(outputFrames * melBins);
  const used = Math.min(frameCount, outputFrames) * melBins;
  for (let i = 0; i < used; i++) output[i] = (frames[i]! - logMelMean) / (2 * logMelStd);
  return output.fill(-logMelMean / (2 * logMelStd), used);
}

/**
 * The model's spectrogram of a sound.
 * @param samples mono, 16 kHz, -1..1; 2.56 s fill the official 256 frames but for two
 * @returns normalized; shape [frameCount, melBins], [256, 128] unless told
 */
export function logMel(samples: Float32Array, options: LogMelOptions): Float32Array {
  const frameCount = options.frameCount ?? 256;
  // Sound behind the last frame is not computed at all.
  const needed = (frameCount - 1) * shiftSamples + frameSamples;
  const fbank = kaldiFbank(samples.subarray(0, needed), options);
  if (options.equalizer) equalize(fbank, options.equalizer);
  return normalizeAndPad(fbank, frameCount);
}
