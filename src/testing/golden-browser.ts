// Opens a headless Chromium on Vite's development server and runs golden checks in the page.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { createServer } from 'vite';
import { Problem } from '../base/errors.ts';
import { withTimeout } from '../base/timeout.ts';
import { chromiumArgs, requireChromium } from '../site/chromium.ts';
import type { Comparison } from './golden.ts';

export interface GoldenBrowser {
  run(fileName: string, fixture: unknown): Promise<Comparison[]>;
  close(): Promise<void>;
}

/** What the page said to the user, without the way that it took here. */
function inPlainWords(error: unknown): never {
  const said = /^page\.evaluate: Problem: (.*)$/m.exec(error instanceof Error ? error.message : '');
  throw said?.[1] === undefined ? error : new Problem('worker-failed', said[1]);
}

const startLimitMs = 120_000;
const runLimitMs = 1_800_000;

/**
 * Starts server and browser; `close` ends both.
 * @param half see runInPage
 */
export async function openGoldenBrowser(half: boolean): Promise<GoldenBrowser> {
  const executablePath = requireChromium();
  const cacheDir = await mkdtemp(join(tmpdir(), 'golden-vite-'));
  const server = await createServer({
    configFile: false,
    root: join(import.meta.dirname, '../..'),
    cacheDir,
    logLevel: 'error',
    appType: 'custom',
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
    // Discovering a dependency late would reload the page under a running check.
    optimizeDeps: {
      noDiscovery: true,
      include: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-webgpu'],
    },
    plugins: [
      {
        name: 'golden-page',
        configureServer: ({ middlewares }) => {
          middlewares.use('/golden-page', (_request, response) => {
            response.setHeader('content-type', 'text/html');
            response.end('<!doctype html><title>golden</title>');
          });
        },
      },
    ],
  });
  const closeServer = async (): Promise<void> => {
    await server.close();
    await rm(cacheDir, { recursive: true, force: true });
  };
  try {
    await server.listen();
    const url = server.resolvedUrls?.local[0];
    if (url === undefined) throw new Error('internal: the development server has no address');
    const browser = await withTimeout(
      chromium.launch({ executablePath, args: [...chromiumArgs], headless: true }),
      startLimitMs,
      `${executablePath} did not start`,
    );
    const page = await browser.newPage();
    page.on('pageerror', (error) => {
      console.error(`page: ${error.message}`);
    });
    await page.goto(new URL('golden-page', url).href, { timeout: startLimitMs });
    return {
      run: (fileName, fixture) =>
        withTimeout(
          page
            .evaluate(
              async ([name, data, path, halved]) => {
                const module = (await import(/* @vite-ignore */ path)) as typeof import('./golden-page.ts');
                return module.runInPage(name, data, halved);
              },
              [fileName, fixture, '/src/testing/golden-page.ts', half] as const,
            )
            .catch(inPlainWords),
          runLimitMs,
          `${fileName} did not end in the page`,
        ),
      close: async () => {
        await browser.close();
        await closeServer();
      },
    };
  } catch (error) {
    await closeServer();
    throw error;
  }
}
