import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { holds } from '../golden.ts';
import { audioFbankCheck } from './audio-fbank.ts';
import { augmentCheck } from './augment.ts';
import { videoFrontendCheck } from './video-frontend.ts';

test.each([
  [audioFbankCheck, 'audio_fbank.json', 27],
  [videoFrontendCheck, 'video_frontend.json', 728],
  [augmentCheck, 'augment.json', 323],
] as const)('$name agrees with the official code', async (check, fileName, comparisons) => {
  expect(check.covers(fileName)).toBe(true);
  const file = new URL(`../golden/${fileName}`, import.meta.url);
  const results = await check.run(JSON.parse(readFileSync(file, 'utf8')));
  expect(results.filter((comparison) => !holds(comparison))).toEqual([]);
  expect(results.length).toBeGreaterThanOrEqual(comparisons);
});
