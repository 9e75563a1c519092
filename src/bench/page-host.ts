// The measuring page in a browser: built as production code, served cross-origin isolated, driven by Playwright.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import type { Browser, Page } from 'playwright';
import { build, preview } from 'vite';
import { withTimeout } from '../base/timeout.ts';
import { chromiumArgs, requireChromium } from '../site/chromium.ts';
import { staticFolders } from '../site/static-folders.ts';
import { peakResidentBytes } from './machine.ts';
import type { BenchPage, ContenderKind, LoadRequest, RunFigures } from './page/protocol.ts';

const pageFolder = fileURLToPath(new URL('page/', import.meta.url));
const buildFolder = fileURLToPath(new URL('../../build/', import.meta.url));

const startLimitMs = 120_000;
/** A forward of the base size on stock kernels takes half a minute on two busy cores; SwiftShader takes longer. */
const callLimitMs = 600_000;

const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

function copyPeers(served: string): void {
  const require = createRequire(import.meta.url);
  const copy = (packageFile: string, folder: string, wanted: RegExp): void => {
    const from = dirname(require.resolve(packageFile));
    const to = join(served, 'peers', folder);
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from).filter((file) => wanted.test(file))) {
      copyFileSync(join(from, name), join(to, name));
    }
  };
  copy('@tensorflow/tfjs-backend-wasm', 'tfjs', /\.wasm$/);
  copy('onnxruntime-web', 'ort', /^ort\.(wasm|webgpu)\.min\.mjs$|^ort-wasm-.*\.(mjs|wasm)$/);
}

/** The server of the measuring page. */
export interface PageHost {
  /** Served as `data/`: weights and exported models. */
  readonly dataFolder: string;
  /** Opens the page in a browser of its own. */
  open(): Promise<OpenPage>;
  close(): Promise<void>;
}

/** The page in a browser. */
export interface OpenPage {
  readonly browserVersion: string;
  load(kind: ContenderKind, request: Omit<LoadRequest, 'type'>): Promise<string>;
  run(kind: ContenderKind): Promise<RunFigures>;
  compare(a: ContenderKind, b: ContenderKind): Promise<number>;
  end(kind: ContenderKind): Promise<void>;
  adapter(): ReturnType<BenchPage['adapter']>;
  /** The most memory that the page's process ever had resident, bytes; null where the system does not tell. */
  peakBytes(): Promise<number | null>;
  close(): Promise<void>;
}

/** Builds the page and serves it, from a folder of its own inside `build/` that `close` removes. */
export async function startPageHost(): Promise<PageHost> {
  mkdirSync(buildFolder, { recursive: true });
  const served = mkdtempSync(join(buildFolder, 'bench-'));
  // Ctrl-C, too, must not leave a gigabyte of weights behind.
  const removeAtExit = (): void => {
    rmSync(served, { recursive: true, force: true });
  };
  process.once('exit', removeAtExit);
  const remove = async (): Promise<void> => {
    process.off('exit', removeAtExit);
    await rm(served, { recursive: true, force: true });
  };
  try {
    return await serve(served, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

async function serve(served: string, remove: () => Promise<void>): Promise<PageHost> {
  await build({
    configFile: false,
    root: pageFolder,
    base: './',
    logLevel: 'error',
    plugins: [staticFolders()],
    worker: { format: 'es' },
    // Not minified: tfjs starts its threads from the text of one of its functions.
    build: { outDir: served, emptyOutDir: true, target: 'es2022', minify: false },
  });
  copyPeers(served);
  const dataFolder = join(served, 'data');
  mkdirSync(dataFolder, { recursive: true });
  const server = await preview({
    configFile: false,
    root: pageFolder,
    logLevel: 'error',
    build: { outDir: served },
    preview: { host: '127.0.0.1', port: 4179, headers: isolation },
  });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('The measuring page got no local address; close other servers.');
  return {
    dataFolder,
    open: () => openPage(url),
    close: async () => {
      await server.close();
      await remove();
    },
  };
}

async function openPage(url: string): Promise<OpenPage> {
  const executablePath = requireChromium();
  const browser = await withTimeout(
    chromium.launch({ executablePath, args: [...chromiumArgs], headless: true }),
    startLimitMs,
    `${executablePath} did not start`,
  );
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => process.stderr.write(`page: ${error.message}\n`));
    await page.goto(url, { timeout: startLimitMs });
    await page.waitForFunction(() => 'bench' in window, null, { timeout: startLimitMs });
    if (!(await page.evaluate(() => crossOriginIsolated))) {
      throw new Error('internal: the measuring page is not cross-origin isolated');
    }
    return drive(browser, page);
  } catch (error) {
    await browser.close();
    throw error;
  }
}

function drive(browser: Browser, page: Page): OpenPage {
  const limited = <T>(promise: Promise<T>, what: string): Promise<T> =>
    withTimeout(promise, callLimitMs, `${what} did not answer`);
  return {
    browserVersion: browser.version(),
    load: (kind, request) =>
      limited(
        page.evaluate(([name, asked]) => window.bench.load(name, asked), [kind, request] as const),
        `loading ${kind}`,
      ),
    run: (kind) =>
      limited(
        page.evaluate((name) => window.bench.run(name), kind),
        `a run of ${kind}`,
      ),
    compare: (a, b) => page.evaluate(([one, other]) => window.bench.compare(one, other), [a, b] as const),
    end: (kind) =>
      page.evaluate((name) => {
        window.bench.end(name);
      }, kind),
    adapter: () => page.evaluate(() => window.bench.adapter()),
    peakBytes: () => rendererPeak(browser),
    close: () => browser.close(),
  };
}

async function rendererPeak(browser: Browser): Promise<number | null> {
  const session = await browser.newBrowserCDPSession();
  try {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const peaks = processInfo
      .filter(({ type }) => type === 'renderer')
      .map(({ id }) => peakResidentBytes(id))
      .filter((bytes) => bytes !== null);
    return peaks.length > 0 ? Math.max(...peaks) : null;
  } finally {
    await session.detach();
  }
}
