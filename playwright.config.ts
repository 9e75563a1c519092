// The built page in a real Chromium, served with its security headers; run by `npm test`, or alone by `npx playwright test`.
import { defineConfig } from '@playwright/test';
import { cameraSoundPath, cameraVideoPath } from './e2e/media/paths.ts';
import { chromiumArgs, findChromium } from './src/site/chromium.ts';

/** Not 4173: a page that someone is looking at should not be in the way. */
const port = 4319;
const executablePath = findChromium();
const browser = executablePath === undefined ? {} : { executablePath };

export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/media/make.ts',
  outputDir: 'test-results',
  // One browser at a time: inference and face detection already use every core.
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 90_000 },
  forbidOnly: process.env['CI'] !== undefined,
  reporter: [['list']],
  use: {
    baseURL: `http://localhost:${port}/`,
    viewport: { width: 1280, height: 900 },
    screenshot: 'only-on-failure',
  },
  webServer: {
    command: 'node --import tsx src/site/serve.ts',
    env: { PORT: String(port) },
    url: `http://localhost:${port}/`,
    timeout: 180_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 5000 },
  },
  projects: [
    {
      name: 'page',
      testIgnore: 'camera.spec.ts',
      use: {
        launchOptions: {
          ...browser,
          args: [...chromiumArgs, '--use-fake-device-for-media-stream=device-count=0'],
        },
      },
    },
    {
      name: 'camera',
      testMatch: 'camera.spec.ts',
      use: {
        permissions: ['camera', 'microphone'],
        launchOptions: {
          ...browser,
          args: [
            ...chromiumArgs,
            '--deny-permission-prompts',
            '--use-fake-device-for-media-stream',
            `--use-file-for-fake-video-capture=${cameraVideoPath}`,
            `--use-file-for-fake-audio-capture=${cameraSoundPath}`,
          ],
        },
      },
    },
  ],
});
