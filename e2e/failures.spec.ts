// What goes wrong is said in plain words, and everything is closed.
import { expect, test } from './recognizer-page.ts';

test('a missing camera is explained', async ({ recognizer, page }) => {
  await recognizer.open();
  await recognizer.choose('Camera');
  await recognizer.start();
  await recognizer.expectPhase('failed');
  await expect(page.getByRole('alert')).toContainText('No camera');
  await recognizer.expectNoWorkers();
});

test.describe('with the model away', () => {
  test.use({ expectedErrors: [/status of 404.*models\/nano\/manifest\.json/] });

  test('a missing model is explained', async ({ recognizer, page }) => {
    await page.route('**/models/nano/**', (route) => route.fulfill({ status: 404, body: 'Not found' }));
    await recognizer.open();
    await recognizer.start();
    await recognizer.expectPhase('failed');
    await expect(page.getByRole('alert')).toContainText('The model was not found');
    await expect(page.getByRole('alert')).toContainText('manifest.json');
    await recognizer.expectNoWorkers();
  });
});

test('a damaged model is explained', async ({ recognizer, page }) => {
  await page.route('**/models/nano/*.safetensors', async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    body.writeUInt8(body.readUInt8(body.length - 1) ^ 1, body.length - 1);
    await route.fulfill({ response, body });
  });
  await recognizer.open();
  await recognizer.start();
  await recognizer.expectPhase('failed');
  await expect(page.getByRole('alert')).toContainText('The model does not fit');
  await recognizer.expectNoWorkers();
});
