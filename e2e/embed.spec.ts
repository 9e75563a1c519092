// The element alone, in a page that is not ours, from the built files at their own address.
import { expectGoodReadings, test } from './recognizer-page.ts';

const host = `<!doctype html>
<title>Somebody's page</title>
<link rel="icon" href="data:," />
<script type="module" src="/emotion-recognizer.js"></script>
<emotion-recognizer model="/models/nano/" vendor="/vendor/" autostart></emotion-recognizer>`;

test('another page embeds the element and hears its readings', async ({ page, recognizer }) => {
  await page.route('**/somewhere/else.html', (route) =>
    route.fulfill({ contentType: 'text/html', body: host }),
  );
  await page.goto('/somewhere/else.html');
  expectGoodReadings(await recognizer.readings(2));
  await recognizer.stop();
  await recognizer.expectNoWorkers();
});
