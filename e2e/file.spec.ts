// Files: a recording as browsers make it, and real clips where CLIPS_DIR names them.
import { basename } from 'node:path';
import { writeFileSync } from 'node:fs';
import { clipPaths, recordingPath } from './media/paths.ts';
import { expect, expectGoodReadings, test } from './recognizer-page.ts';

test('a recorded file is read and comes to its end', async ({ recognizer, page }) => {
  await recognizer.open();
  await recognizer.choose('File');
  await expect(page.getByRole('button', { name: 'Start' })).toBeDisabled();
  await page.getByLabel('Video file').setInputFiles(recordingPath);
  const readings = await recognizer.readings(1);
  expectGoodReadings(readings);
  await expect(page.getByText('The file has ended.')).toBeVisible();
  const all = await page.evaluate(() => window.readings);
  expectGoodReadings(all);
  expect(
    all.some(({ modalities }) => modalities.face && modalities.voice),
    'face and voice are read',
  ).toBe(true);
  await recognizer.stop();
  await recognizer.expectNoWorkers();
});

test('a file that is no video is refused in plain words', async ({ recognizer, page }, testInfo) => {
  const path = testInfo.outputPath('not-a-video.mp4');
  writeFileSync(path, 'This is only text.');
  await recognizer.open();
  await recognizer.choose('File');
  await page.getByLabel('Video file').setInputFiles(path);
  await recognizer.expectPhase('failed');
  await expect(page.getByRole('alert')).toContainText('cannot be played');
  await recognizer.expectNoWorkers();
});

for (const path of clipPaths().slice(0, 3)) {
  test(`the clip ${basename(path)} is read`, async ({ recognizer, page }) => {
    await recognizer.open();
    await recognizer.choose('File');
    await page.getByLabel('Video file').setInputFiles(path);
    await recognizer.readings(1);
    await expect(page.getByText('The file has ended.')).toBeVisible();
    const readings = await page.evaluate(() => window.readings);
    expectGoodReadings(readings);
    expect(readings.some(({ faceBox }) => faceBox !== null)).toBe(true);
    await recognizer.stop();
  });
}
