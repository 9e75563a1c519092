// Camera and microphone, faked by the browser: a face is found and read, and Stop releases both devices.
import { expect, expectGoodReadings, test } from './recognizer-page.ts';

test('a face before the camera is boxed and read with its voice; Stop releases both devices', async ({
  recognizer,
  page,
}) => {
  await recognizer.open();
  await recognizer.choose('Camera');
  await recognizer.start();
  await recognizer.readings(3);
  await expect(page.getByRole('img', { name: 'Box around the face' })).toBeVisible();
  await expect(page.locator('emotion-recognizer video')).toBeVisible();

  // The sound begins with the devices: both modalities count once the first seconds are there.
  await page.waitForFunction(
    () =>
      window.readings.some(
        ({ modalities, faceBox }) => modalities.face && modalities.voice && faceBox !== null,
      ),
    null,
    { timeout: 120_000 },
  );
  expectGoodReadings(await recognizer.readings(3));
  const before = await page.evaluate(() =>
    window.tracks.map(({ kind, readyState }) => `${kind} ${readyState}`),
  );
  expect(before.sort()).toEqual(['audio live', 'video live']);

  await recognizer.stop();
  const after = await page.evaluate(() =>
    window.tracks.map(({ kind, readyState }) => `${kind} ${readyState}`),
  );
  expect(after.sort()).toEqual(['audio ended', 'video ended']);
  await recognizer.expectNoWorkers();
});

test('stopping in the middle of a start releases the devices too', async ({ recognizer, page }) => {
  await recognizer.open();
  await recognizer.choose('Camera');
  await recognizer.start();
  await page.waitForFunction(() => window.tracks.length > 0);
  await recognizer.stop();
  await expect
    .poll(() => page.evaluate(() => window.tracks.every((track) => track.readyState === 'ended')))
    .toBe(true);
  await recognizer.expectNoWorkers();
});

test('leaving for another source releases the devices', async ({ recognizer, page }) => {
  await recognizer.open();
  await recognizer.choose('Camera');
  await recognizer.start();
  await recognizer.expectPhase('running');
  await recognizer.choose('File');
  await recognizer.expectPhase('idle');
  expect(await page.evaluate(() => window.tracks.map((track) => track.readyState))).toEqual([
    'ended',
    'ended',
  ]);
});

test.describe('without permission', () => {
  test.use({ permissions: [] });

  test('denied permission is explained', async ({ recognizer, page }) => {
    await recognizer.open();
    await recognizer.choose('Camera');
    await recognizer.start();
    await recognizer.expectPhase('failed');
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('not allowed');
    await expect(alert).toContainText('press Start again');
    await recognizer.expectNoWorkers();
    // From here the demo must still be one click away.
    await recognizer.choose('Demo');
    await expect(page.getByRole('button', { name: 'Start' })).toBeEnabled();
    await recognizer.start();
    await recognizer.readings(1);
    await recognizer.stop();
  });
});
