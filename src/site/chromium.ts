// The Chromium that tests, `analyze` and face alignment drive: the system's own, else Playwright's.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright';
import { Problem } from '../base/errors.ts';

const systemPaths = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Headless Chromium without a GPU still brings WebGPU (SwiftShader) with these; no-sandbox because CI runs as root. */
export const chromiumArgs: readonly string[] = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

/**
 * Path of a Chromium: the environment's CHROMIUM_PATH, a system browser, or Playwright's download.
 * @returns undefined when there is none; `npm test` installs one.
 */
export function findChromium(): string | undefined {
  const candidates = [process.env['CHROMIUM_PATH'], ...systemPaths, chromium.executablePath()];
  return candidates.find((path) => path !== undefined && path !== '' && existsSync(path));
}

/** findChromium. @throws Problem that says what to do when there is none */
export function requireChromium(): string {
  const path = findChromium();
  if (path === undefined) {
    throw new Problem(
      'worker-failed',
      'No Chromium found: install Chromium or Google Chrome (apt install chromium), or set CHROMIUM_PATH to one.',
    );
  }
  return path;
}
