import { expect, it } from 'vitest';
import { findFacePoints } from './face-points.ts';

// That faces are found is tested in the browser (still-points.browser.test.ts); here, the way there and back.
it('asks the detector in a headless browser, reports progress, and ends by itself', async () => {
  const stills = { data: new Uint8Array(250 * 16 * 12 * 3).fill(90), count: 250, width: 16, height: 12 };
  const progress: number[] = [];
  const found = await findFacePoints({ ...stills, channels: 3 }, (done, total) =>
    progress.push(done / total),
  );
  expect(found).toEqual(Array<null>(250).fill(null));
  expect(progress).toEqual([0.8, 1]);
  await expect(findFacePoints({ ...stills, channels: 1 })).rejects.toThrow('internal: 144000 bytes');
});
