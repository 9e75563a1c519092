// The main job without any device: the demo is read, the bars follow, and Stop ends everything.
import { expect, expectGoodReadings, largestChange, test } from './recognizer-page.ts';

test('the demo is read from one click on, and Stop ends it', async ({ recognizer, page }) => {
  await recognizer.open();
  await recognizer.choose('Demo');
  const clickedMs = Date.now();
  await recognizer.start();
  await recognizer.readings(1);
  test
    .info()
    .annotations.push({ type: 'click to first reading', description: `${Date.now() - clickedMs} ms` });
  await recognizer.expectPhase('running');

  // Three phases of five seconds each pass by: neutral, happy, surprise.
  await page.waitForFunction(() => (window.readings.at(-1)?.timeMs ?? 0) > 13_000, null, {
    timeout: 120_000,
  });
  const readings = await recognizer.readings(4);
  expectGoodReadings(readings);
  expect(largestChange(readings), 'the bars move').toBeGreaterThan(0.01);
  expect(readings.at(-1)?.modalities).toEqual({ face: true, voice: true });

  const box = readings.at(-1)?.faceBox;
  expect(box, 'a face box').toBeTruthy();
  if (box) {
    // The face is drawn around the middle of the picture.
    expect(Math.abs(box.x + box.width / 2 - 0.5)).toBeLessThan(0.15);
    expect(box.width).toBeGreaterThan(0.2);
    expect(box.width).toBeLessThan(0.7);
  }

  const steps = await page.evaluate(() => window.steps);
  expect(steps[0]).toMatch(/^starting/);
  expect(steps).toContain('running');

  await recognizer.stop();
  await recognizer.expectNoWorkers();
  const count = await page.evaluate(() => window.readings.length);
  await recognizer.start();
  await recognizer.readings(count + 1);
  await recognizer.stop();
  await recognizer.expectNoWorkers();
});

test('the bars show the last reading, and the top emotion is named', async ({ recognizer, page }) => {
  await recognizer.open();
  await recognizer.choose('Demo');
  await recognizer.start();
  await recognizer.readings(2);
  await expect
    .poll(async () => {
      const bars = await recognizer.bars();
      return (
        bars.length > 1 && Math.abs(bars.reduce((sum, bar) => sum + bar.percent, 0) - 100) <= bars.length
      );
    })
    .toBe(true);
  // Reading and bars in one look, since the next reading may come at any time.
  await expect
    .poll(async () =>
      page.evaluate(() => {
        const shadow = document
          .querySelector('emotion-recognizer')
          ?.shadowRoot?.querySelector('emotion-bars')?.shadowRoot;
        const last = window.readings.at(-1);
        if (!shadow || !last) return 'no bars or no reading';
        const labels = Object.keys(last.probabilities);
        const shown = [...shadow.querySelectorAll('[role=meter]')].map((m) =>
          Number(m.getAttribute('aria-valuenow')),
        );
        const wanted = labels.map((label) => Math.round(100 * (last.probabilities[label] ?? 0)));
        return shown.join() === wanted.join() ? 'same' : `${shown.join()} instead of ${wanted.join()}`;
      }),
    )
    .toBe('same');
  await recognizer.stop();
});

test('the page says that nothing leaves it, what computes it and what was read', async ({
  recognizer,
  page,
}) => {
  await recognizer.open();
  await expect(page.getByText('Nothing leaves this page')).toBeVisible();
  await recognizer.start();
  await recognizer.readings(1);
  const facts = page.getByRole('region', { name: 'How it is computed' });
  await expect(facts).toContainText(/WebGPU|WebAssembly|JavaScript/);
  await expect(facts).toContainText(/\d+ ms/);
  await expect(facts).toContainText(/Face (and|\+) voice|Face only|Voice only/);
  await recognizer.stop();
});
