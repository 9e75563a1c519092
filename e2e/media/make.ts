// Before the tests: makes the media that fake devices and file tests need, in a Chromium, so that no other tool is needed.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { chromium } from '@playwright/test';
import { build } from 'vite';
import { chromiumArgs, findChromium } from '../../src/site/chromium.ts';
import { cameraSoundPath, cameraVideoPath, clipPaths, recordingPath } from './paths.ts';
import type * as StudioModule from './studio.ts';
import { writeWav, writeY4m } from './writers.ts';

const fps = 15;
/** Uncompressed pictures are large: 7 MB a second. */
const longestMs = 4000;

declare global {
  interface Window {
    studioModule: typeof StudioModule;
    studio: StudioModule.Studio;
  }
}

async function bundleStudio(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'warn',
    build: {
      write: false,
      minify: false,
      lib: {
        entry: resolve(import.meta.dirname, 'studio.ts'),
        formats: ['iife'],
        name: 'studioModule',
        fileName: 'studio',
      },
    },
  });
  const output = Array.isArray(result) ? result[0] : result;
  if (output === undefined || !('output' in output)) throw new Error('internal: the studio was not bundled');
  return output.output[0].code;
}

export default async function makeMedia(): Promise<void> {
  mkdirSync(dirname(recordingPath), { recursive: true });
  const executablePath = findChromium();
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: [...chromiumArgs],
  });
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ content: await bundleStudio() });
    const recording = await page.evaluate(() => window.studioModule.recordDemo(5000));
    writeFileSync(recordingPath, Buffer.from(recording, 'base64'));

    const [clipPath] = clipPaths();
    console.log(`Fake camera and microphone: ${clipPath === undefined ? 'the demo' : basename(clipPath)}`);
    const clip = clipPath === undefined ? null : readFileSync(clipPath).toString('base64');
    const clipMs = await page.evaluate(
      async ([content, limitMs]) => {
        const { demoStudio, clipStudio } = window.studioModule;
        window.studio = await (content === null ? demoStudio(limitMs) : clipStudio(content));
        return window.studio.durationMs;
      },
      [clip, longestMs] as const,
    );
    const frames: Buffer[] = [];
    for (let timeMs = 0; timeMs < Math.min(clipMs, longestMs); timeMs += 1000 / fps) {
      const picture = await page.evaluate((time) => window.studio.picture(time), timeMs);
      frames.push(Buffer.from(picture, 'base64'));
    }
    writeFileSync(cameraVideoPath, writeY4m(frames, 640, 480, fps));
    const sound = Buffer.from(await page.evaluate(() => window.studio.sound()), 'base64');
    writeFileSync(
      cameraSoundPath,
      writeWav(new Float32Array(sound.buffer, sound.byteOffset, sound.length / 4), 48_000),
    );
  } finally {
    await browser.close();
  }
}
