// Small pictures inside a report: face crops as JPEG, spectrograms as PNG, both as data URLs.
import sharp from 'sharp';
import type { SamplePicture } from '../scores/scored.ts';

const facePx = 120;
const melWidthPx = 240;
const melHeightPx = 96;

// Viridis at even steps (matplotlib, CC0): dark is silent.
const viridis = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
] as const;

/** RGB of a value in 0..1. */
export function colorOf(value: number): readonly [number, number, number] {
  const at = Math.min(1, Math.max(0, value)) * (viridis.length - 1);
  const below = viridis[Math.floor(at)]!;
  const above = viridis[Math.ceil(at)]!;
  const mix = (c: 0 | 1 | 2): number => Math.round(below[c] + (at - Math.floor(at)) * (above[c] - below[c]));
  return [mix(0), mix(1), mix(2)];
}

/** A face crop as a small JPEG. */
export async function faceJpeg({ data, sidePx }: NonNullable<SamplePicture['face']>): Promise<Buffer> {
  return sharp(data, { raw: { width: sidePx, height: sidePx, channels: 3 } })
    .resize(facePx, facePx, { kernel: 'cubic' })
    .jpeg({ quality: 75 })
    .toBuffer();
}

/** A spectrogram as a PNG: time to the right, low tones below, from its quietest to its loudest value. */
export async function melPng({ data, frames, bins }: NonNullable<SamplePicture['mel']>): Promise<Buffer> {
  let least = Infinity;
  let most = -Infinity;
  for (const value of data) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const pixels = new Uint8Array(frames * bins * 3);
  for (let f = 0; f < frames; f++)
    for (let m = 0; m < bins; m++) {
      const rgb = colorOf((data[f * bins + m]! - least) / (most - least || 1));
      pixels.set(rgb, ((bins - 1 - m) * frames + f) * 3);
    }
  return sharp(pixels, { raw: { width: frames, height: bins, channels: 3 } })
    .resize(melWidthPx, melHeightPx, { fit: 'fill' })
    .png({ palette: true, colors: 64 })
    .toBuffer();
}

/** Picture elements of a sample; '' when it has neither face nor sound. */
export async function pictureHtml({ face, mel }: SamplePicture): Promise<string> {
  const url = (type: string, bytes: Buffer): string =>
    `data:image/${type};base64,${bytes.toString('base64')}`;
  const image = (src: string, alt: string, width: number, height: number): string =>
    `<img src="${src}" alt="${alt}" width="${String(width)}" height="${String(height)}">`;
  return [
    ...(face ? [image(url('jpeg', await faceJpeg(face)), 'face crop', facePx, facePx)] : []),
    ...(mel ? [image(url('png', await melPng(mel)), 'log-mel spectrogram', melWidthPx, melHeightPx)] : []),
  ].join('');
}
