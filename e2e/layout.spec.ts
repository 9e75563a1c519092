// The page at a phone's width and on a wide screen, light and dark. The screenshots are there to be looked at.
import type { Page } from '@playwright/test';
import { expect, test } from './recognizer-page.ts';

/** What sticks out to the right, shadow roots included; empty when the page needs no horizontal scrolling. */
function overhang(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const limit = document.documentElement.clientWidth + 1;
    if (document.documentElement.scrollWidth > limit) found.push('the page scrolls horizontally');
    const visit = (root: Document | ShadowRoot): void => {
      for (const element of root.querySelectorAll('*')) {
        const { right, width } = element.getBoundingClientRect();
        // Controls that only assistive technology sees are one pixel wide.
        if (width > 1 && right > limit) found.push(`${element.localName} ends at ${Math.round(right)} px`);
        if (element.shadowRoot) visit(element.shadowRoot);
      }
    };
    visit(document);
    return found;
  });
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [width, height] of [
    [360, 780],
    [1440, 900],
  ] as const) {
    test(`fits ${width} px in ${colorScheme}`, async ({ recognizer, page }, testInfo) => {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await recognizer.open();
      expect(await overhang(page)).toEqual([]);
      const ground = await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
      expect(ground).toContain(colorScheme);
      await page.screenshot({ path: testInfo.outputPath('idle.png'), fullPage: true });

      await recognizer.start();
      await recognizer.readings(1);
      // A picture of the page in full swing.
      await page.waitForFunction(() => {
        const last = window.readings.at(-1);
        return last !== undefined && last.modalities.face && last.modalities.voice && last.timeMs > 9000;
      });
      expect(await overhang(page)).toEqual([]);
      await expect(page.getByRole('button', { name: 'Stop' })).toBeInViewport();
      await page.screenshot({ path: testInfo.outputPath('running.png'), fullPage: true });
      await recognizer.stop();
    });
  }
}
