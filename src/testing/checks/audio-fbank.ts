// Holds the log-mel front end to torchaudio's numbers (fixture audio_fbank).
import { kaldiFbank, logMel, normalizeAndPad } from '../../clip/log-mel.ts';
import type { FilterbankFrames } from '../../clip/log-mel.ts';
import { Problem } from '../../base/errors.ts';
import {
  asNumbers,
  asRecord,
  asTensorRecord,
  asText,
  compareNumber,
  compareRecord,
  nameValues,
  worst,
} from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';

const official = { bandLimitHz: null };
const shape = [256, 128];

/** The fixture's two kinds of formula, read from its own text: a chirp, or noise on an offset. */
export function waveform(salt: string, text: string, sampleCount: number, earlier: string): Float32Array {
  const number = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  if (text.startsWith('all zero')) return new Float32Array(sampleCount);
  const noise = /([\d.]+)\s*\*\s*v\('([^']+)'/.exec(text);
  if (noise !== null) {
    const offset = number(/fround\(\s*([\d.]+)\s*\+/) ?? 0;
    const scale = Number(noise[1]);
    const v = nameValues(salt, noise[2] ?? '');
    return Float32Array.from({ length: sampleCount }, (_, n) => offset + scale * v(n));
  }
  const amplitude = number(/amplitude ([\d.]+)/) ?? number(/fround\(\s*([\d.]+)\s*\*\s*sin/);
  const duration = number(/\bT=([\d.]+)/);
  const from = number(/\bf0=([\d.]+)/);
  const to = number(/\bf1=([\d.]+)/);
  if (amplitude === undefined || duration === undefined || from === undefined || to === undefined) {
    throw new Problem('unsupported-file', `the waveform "${text}" (after "${earlier}") is not understood`);
  }
  return Float32Array.from({ length: sampleCount }, (_, n) => {
    const t = n / 16000;
    return amplitude * Math.sin(2 * Math.PI * (from * t + ((to - from) * t * t) / (2 * duration)));
  });
}

/** The un-normalized filterbank as the fixture has it: cut to 256 frames, or zero rows appended. */
function cutOrPad({ frames, frameCount, melBins }: FilterbankFrames): Float32Array {
  const output = new Float32Array(256 * melBins);
  output.set(frames.subarray(0, Math.min(frameCount, 256) * melBins));
  return output;
}

function checkCase(salt: string, name: string, entry: Readonly<Record<string, unknown>>): Comparison[] {
  const sampleCount = Number(entry['n_samples']);
  const samples = waveform(salt, asText(entry['waveform'], `${name}.waveform`), sampleCount, name);
  const fbank = kaldiFbank(samples, official);
  const padded = cutOrPad(fbank);
  const fbankRecord = asTensorRecord(entry['fbank'], `${name}.fbank`);
  const results = [
    compareRecord(
      `${name} waveform`,
      { shape: [sampleCount], values: samples },
      asTensorRecord(entry['waveform_samples'], `${name}.waveform_samples`),
    ),
    compareNumber(`${name} frame count`, fbank.frameCount, Number(entry['frames_before_pad']), 0),
    compareRecord(`${name} log-mel`, { shape, values: padded }, fbankRecord),
    compareRecord(
      `${name} normalized`,
      { shape, values: logMel(samples, official) },
      asTensorRecord(entry['normalised'], `${name}.normalised`),
    ),
  ];
  if (entry['fbank_row_means_f64'] !== undefined) {
    const means = asNumbers(entry['fbank_row_means_f64'], `${name}.fbank_row_means_f64`);
    const errors = means.map((mean, i) => {
      const row = padded.subarray(i * (256 / means.length) * 128).subarray(0, 128);
      return Math.abs(row.reduce((a, b) => a + b, 0) / 128 - mean);
    });
    results.push({ tensor: `${name} row means`, error: worst(errors), tolerance: 2e-6 });
  }
  // These two have a float32 reference only, so they may differ by its own noise near the floor.
  const noise = 10 * (fbankRecord.maxdiff_f32_f64 ?? 0) + 1e-6;
  const louder = Object.keys(entry).find((key) => key.startsWith('with_magnitude_augmentation_'));
  if (louder !== undefined) {
    const gain = Number(louder.slice('with_magnitude_augmentation_'.length));
    const values = normalizeAndPad(
      kaldiFbank(
        samples.map((x) => x * gain),
        official,
      ),
    );
    results.push(
      compareRecord(
        `${name} x ${String(gain)}`,
        { shape, values },
        asTensorRecord(entry[louder], louder),
        noise,
      ),
    );
  }
  if (entry['frame_10_all_bins_f32'] !== undefined) {
    const bins = asNumbers(entry['frame_10_all_bins_f32'], `${name}.frame_10_all_bins_f32`);
    const errors = bins.map((x, m) => Math.abs((padded[10 * 128 + m] ?? NaN) - x));
    results.push({ tensor: `${name} frame 10`, error: worst(errors), tolerance: noise });
  }
  return results;
}

export const audioFbankCheck: GoldenCheck = {
  name: 'audio-fbank',
  covers: (fileName) => fileName === 'audio_fbank.json',
  run: (fixture) => {
    const root = asRecord(fixture, 'audio_fbank');
    const salt = asText(root['salt'], 'audio_fbank.salt');
    const cases = Object.entries(asRecord(root['cases'], 'audio_fbank.cases'));
    return Promise.resolve(cases.flatMap(([name, entry]) => checkCase(salt, name, asRecord(entry, name))));
  },
};
