// What every spec needs: the page under watch, and the element's own words for what happens on it.
import { expect, test as base } from '@playwright/test';
import type { Locator, Page } from '@playwright/test';
import type { LiveState, Reading } from '../src/live/state.ts';

declare global {
  interface Window {
    /** Every reading that the element told of. */
    readings: Reading[];
    /** The phases and steps that it went through. */
    steps: string[];
    /** What getUserMedia granted. */
    tracks: MediaStreamTrack[];
  }
}

/** Runs in the page before its own scripts. */
function watch(): void {
  window.readings = [];
  window.steps = [];
  window.tracks = [];
  document.addEventListener('reading', (event) => {
    window.readings.push((event as CustomEvent<Reading>).detail);
  });
  document.addEventListener('statechange', (event) => {
    const state = (event as CustomEvent<LiveState>).detail;
    const step = state.phase === 'starting' ? `starting: ${state.step}` : state.phase;
    if (window.steps.at(-1) !== step) window.steps.push(step);
  });
  document.addEventListener('securitypolicyviolation', (event) => {
    console.error(`Content security policy: ${event.violatedDirective} blocked ${event.blockedURI}`);
  });
  if (!('mediaDevices' in navigator)) return;
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (constraints) => {
    const stream = await ask(constraints);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
}

export class RecognizerPage {
  readonly page: Page;
  readonly element: Locator;

  constructor(page: Page) {
    this.page = page;
    this.element = page.locator('emotion-recognizer');
  }

  /** @param query for example `source=camera` */
  async open(query = ''): Promise<void> {
    await this.page.goto(query === '' ? './' : `./?${query}`);
    await expect(this.element).toHaveAttribute('phase', 'idle');
  }

  /** Through the radio's label, as a person would. */
  async choose(source: 'Camera' | 'File' | 'Demo'): Promise<void> {
    await this.page.getByRole('radio', { name: source }).check();
    await expect(this.element).toHaveAttribute('source', source.toLowerCase());
  }

  async start(): Promise<void> {
    await this.page.getByRole('button', { name: 'Start' }).click();
  }

  async stop(): Promise<void> {
    await this.page.getByRole('button', { name: 'Stop' }).click();
    await this.expectPhase('idle');
  }

  async expectPhase(phase: LiveState['phase']): Promise<void> {
    await expect(this.element).toHaveAttribute('phase', phase);
  }

  /** Waits for that many readings, or says where the element stands instead. */
  async readings(count: number): Promise<readonly Reading[]> {
    const done = await this.page.waitForFunction(
      (wanted) => {
        const phase = document.querySelector('emotion-recognizer')?.getAttribute('phase');
        return window.readings.length >= wanted || phase === 'failed' ? phase : false;
      },
      count,
      { timeout: 150_000 },
    );
    if ((await done.jsonValue()) === 'failed') {
      throw new Error(`The element failed: ${await this.page.getByRole('alert').innerText()}`);
    }
    return this.page.evaluate(() => window.readings);
  }

  /** The bars' values in percent, in the page's order. */
  async bars(): Promise<readonly { label: string; percent: number }[]> {
    const meters = await this.page.getByRole('list', { name: 'Emotions' }).getByRole('meter').all();
    return Promise.all(
      meters.map(async (meter) => ({
        label: (await meter.getAttribute('aria-label')) ?? '',
        percent: Number(await meter.getAttribute('aria-valuenow')),
      })),
    );
  }

  /** Face worker and recognizer are gone. */
  async expectNoWorkers(): Promise<void> {
    await expect.poll(() => this.page.workers().length).toBe(0);
  }
}

/** Each reading is a distribution over the same labels, at a later time than the one before. */
export function expectGoodReadings(readings: readonly Reading[]): void {
  const labels = Object.keys(readings[0]?.probabilities ?? {});
  expect(labels.length).toBeGreaterThan(1);
  let lastMs = -1;
  for (const reading of readings) {
    expect(Object.keys(reading.probabilities)).toEqual(labels);
    const values = Object.values(reading.probabilities);
    for (const value of values) expect(value).toBeGreaterThanOrEqual(0);
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
    expect(reading.timeMs).toBeGreaterThan(lastMs);
    expect(reading.inferenceMs).toBeGreaterThan(0);
    lastMs = reading.timeMs;
  }
}

/** The largest change of any probability among the readings. */
export function largestChange(readings: readonly Reading[]): number {
  const labels = Object.keys(readings[0]?.probabilities ?? {});
  return Math.max(
    ...labels.map((label) => {
      const values = readings.map((reading) => reading.probabilities[label] ?? 0);
      return Math.max(...values) - Math.min(...values);
    }),
  );
}

interface Fixtures {
  /** Console errors that a test provokes on purpose. */
  expectedErrors: RegExp[];
  recognizer: RecognizerPage;
}

/** Every test fails on an error in the console, an uncaught exception, and a request to another origin. */
export const test = base.extend<Fixtures>({
  expectedErrors: [[], { option: true }],
  recognizer: async ({ page, baseURL, expectedErrors }, use) => {
    const complaints: string[] = [];
    page.on('console', (message) => {
      const text = `${message.text()} (${message.location().url})`;
      if (message.type() === 'error' && !expectedErrors.some((error) => error.test(text))) {
        complaints.push(`console: ${text}`);
      }
    });
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
    const origin = new URL(baseURL ?? '').origin;
    page.context().on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol === 'data:' || url.origin === origin) return;
      complaints.push(`request to another origin: ${request.method()} ${request.url()}`);
    });
    await page.addInitScript(watch);
    await use(new RecognizerPage(page));
    expect(complaints, 'errors and foreign requests').toEqual([]);
  },
});

export { expect };
