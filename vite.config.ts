// Builds and serves the page, and runs the unit tests.
import { defineConfig } from 'vitest/config';
import { playwright } from '@vitest/browser-playwright';
import { chromiumArgs, findChromium } from './src/site/chromium.ts';
import { securityHeaders } from './src/site/security-headers.ts';
import { staticFolders } from './src/site/static-folders.ts';

const chromiumPath = findChromium();

export default defineConfig({
  base: './',
  plugins: [staticFolders()],
  worker: { format: 'es' },
  // Found only when a worker first asks for them: the development server would reload the page, or the test, then.
  optimizeDeps: {
    include: [
      '@mediapipe/tasks-vision',
      '@tensorflow/tfjs-backend-cpu',
      '@tensorflow/tfjs-backend-webgpu',
      '@tensorflow/tfjs-core',
      'fft.js',
      'lit',
    ],
  },
  build: {
    target: 'es2022',
    sourcemap: true,
    rolldownOptions: {
      checks: { bundlerTimings: false },
      // The page; under lasting names, the element alone for other sites and the face finder that `prepare` drives.
      input: {
        page: 'index.html',
        'emotion-recognizer': 'src/elements/emotion-recognizer.ts',
        'face-points': 'src/face-points/film-points.ts',
      },
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: ({ name }) =>
          name === 'emotion-recognizer' || name === 'face-points' ? '[name].js' : 'assets/[name]-[hash].js',
      },
    },
  },
  preview: { port: 4173, headers: securityHeaders },
  server: {
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['src/**/*.test.ts'],
          exclude: ['src/**/*.browser.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['src/**/*.browser.test.ts'],
          testTimeout: 120_000,
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
                args: [
                  ...chromiumArgs,
                  '--use-fake-device-for-media-stream',
                  '--use-fake-ui-for-media-stream',
                ],
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
