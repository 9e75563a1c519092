// Several models to choose from, and the model's card. `larger` is nano again, under another name and a larger cost.
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, expectGoodReadings, test } from './recognizer-page.ts';

const manifest = JSON.parse(readFileSync('models/nano/manifest.json', 'utf8')) as { name: string };

/** @param multiplyAdds of each model by name */
async function offer(page: Page, multiplyAdds: Readonly<Record<string, number>>): Promise<void> {
  const models = Object.entries(multiplyAdds).map(([name, cost]) => ({
    name,
    folder: `${name}/`,
    bytes: 6e6,
    multiplyAdds: cost,
  }));
  await page.route('**/models/models.json', (route) => route.fulfill({ json: { models } }));
}

/** nano, and one that no machine is fast enough for. */
async function offerTwo(page: Page): Promise<void> {
  await offer(page, { nano: 1e8, larger: 1e13 });
  await page.route('**/models/larger/*', async (route) => {
    const file = new URL(route.request().url()).pathname.split('/').at(-1);
    if (file === 'manifest.json') await route.fulfill({ json: { ...manifest, name: 'larger' } });
    else if (file === 'model.safetensors') await route.fulfill({ path: 'models/nano/model.safetensors' });
    else await route.fulfill({ status: 404, body: 'Not found' });
  });
}

test('with one model there is nothing to choose, and no second worker', async ({ recognizer, page }) => {
  await offer(page, { nano: 1e8 });
  await recognizer.open();
  await recognizer.start();
  await recognizer.readings(8);
  await expect(page.getByLabel('Model', { exact: true })).toHaveCount(0);
  // One for the faces, one for the model; the model's may have a helper.
  const scripts = page.workers().map((worker) => new URL(worker.url()).pathname);
  expect(scripts.filter((path) => path.includes('/worker-'))).toHaveLength(1);
  await recognizer.stop();
});

// Whether `auto` takes a larger model depends on the machine: model-switch.test.ts tells of that.
test('a model chosen by hand takes over while readings go on', async ({ recognizer, page }) => {
  await recognizer.open();
  const chooser = page.getByLabel('Model', { exact: true });
  await expect(chooser).toHaveValue('auto');
  await expect(chooser).toContainText(/nano \(3\.\d MB\).*mini \(1\d MB\)/s);
  await recognizer.start();
  await recognizer.readings(1);
  const facts = page.getByRole('region', { name: 'How it is computed' });
  for (const name of ['mini', 'nano']) {
    await chooser.selectOption(name);
    await expect(facts).toContainText(`${name}: chosen by hand`);
    const count = await page.evaluate(() => window.readings.length);
    expectGoodReadings(await recognizer.readings(count + 2));
  }
  await recognizer.stop();
  await recognizer.expectNoWorkers();
});

test('a larger model that would be too slow is not loaded, and the page says so', async ({
  recognizer,
  page,
}) => {
  let asked = 0;
  page.on('request', (request) => {
    if (request.url().includes('/models/larger/')) asked++;
  });
  await offerTwo(page);
  await recognizer.open();
  await recognizer.start();
  await expect(page.getByRole('region', { name: 'How it is computed' })).toContainText(
    /nano: chosen, larger would need about \d+\.\d s a reading here/,
  );
  expect(asked).toBe(0);
  await recognizer.stop();
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [360, 1440]) {
    test(`the model card at ${String(width)} px in ${colorScheme}`, async ({
      recognizer,
      page,
    }, testInfo) => {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      await offerTwo(page);
      await recognizer.open();
      await expect(page.getByLabel('Model', { exact: true })).toBeVisible();
      await page.screenshot({ path: testInfo.outputPath('page.png'), fullPage: true });
      const about = page.getByRole('button', { name: 'About this model' });
      await about.focus();
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog', { name: 'About this model' });
      await expect(dialog.getByRole('heading', { name: 'Known failures' })).toBeAttached();
      await expect(dialog.getByRole('button', { name: 'Close' })).toBeFocused();
      const sizes = await page.evaluate(() => {
        const card = document
          .querySelector('emotion-recognizer')
          ?.shadowRoot?.querySelector('model-card')?.shadowRoot;
        const body = card?.querySelector('.body');
        const box = card?.querySelector('dialog')?.getBoundingClientRect();
        return {
          sideways: (body?.scrollWidth ?? 0) - (body?.clientWidth ?? 0),
          left: box?.left ?? -1,
          right: box?.right ?? Infinity,
          tables: card?.querySelectorAll('.table > table').length,
          page: document.documentElement.scrollWidth,
        };
      });
      expect(sizes.sideways, 'the card itself does not scroll sideways').toBeLessThanOrEqual(0);
      expect(sizes.left).toBeGreaterThanOrEqual(0);
      expect(sizes.right).toBeLessThanOrEqual(width);
      expect(sizes.page).toBeLessThanOrEqual(width);
      expect(sizes.tables).toBeGreaterThan(1);
      await page.screenshot({ path: testInfo.outputPath('card.png') });
      await dialog.getByRole('heading', { name: 'Scores', exact: true }).scrollIntoViewIfNeeded();
      await page.screenshot({ path: testInfo.outputPath('scores.png') });
      await page.keyboard.press('Escape');
      await expect(dialog).toBeHidden();
      await expect(about).toBeFocused();
    });
  }
}

for (const name of ['nano', 'mini']) {
  test(`${name}'s card is a page of its own too`, async ({ recognizer, page }) => {
    await recognizer.open();
    await page.goto(`./models/${name}/card.html`);
    await expect(page).toHaveTitle(`Model card: ${name}`);
    await expect(page.getByRole('heading', { name: 'Known failures' })).toBeVisible();
  });
}

test.describe('without a card', () => {
  test.use({ expectedErrors: [/status of 404.*models\/larger\/card\.html/] });

  test('the dialog tells what the manifest does', async ({ recognizer, page }) => {
    await offerTwo(page);
    await recognizer.open('model=./models/larger');
    await page.getByRole('button', { name: 'About this model' }).click();
    const dialog = page.getByRole('dialog', { name: 'About this model' });
    await expect(dialog).toContainText('No model card came with this model');
    await expect(dialog).toContainText('angry, disgust, fear, happy, neutral, sad, surprise');
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
  });
});
