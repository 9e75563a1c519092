// The built page and its server: `npm start`, `analyze` and face finding show exactly the same thing.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import sirv from 'sirv';
import { isCheckout, packageRoot } from './package-root.ts';
import { securityHeaders } from './security-headers.ts';

/** What the built page is made from. */
const inputs = ['src', 'public', 'models', 'index.html', 'package-lock.json', 'vite.config.ts'];

const pageFolder = join(packageRoot, 'dist');

function newestChangeMs(path: string): number {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestChangeMs(join(path, name))));
}

/** Puts `draft` in the place of `folder`; where another process does the same at this moment, one of the two stays. */
function replaceFolder(folder: string, draft: string, old: string): void {
  try {
    renameSync(folder, old);
  } catch {
    // There was none, or the other has just moved it away.
  }
  try {
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

/** Builds `dist/` unless it is newer than everything it is made from. An installed package brings it along. */
export async function buildIfNeeded(): Promise<void> {
  if (!isCheckout) return;
  const index = join(pageFolder, 'index.html');
  const builtMs = existsSync(index) ? statSync(index).mtimeMs : 0;
  if (builtMs > Math.max(...inputs.map((input) => newestChangeMs(join(packageRoot, input))))) return;
  console.error('Building the page ...');
  const { build } = await import('vite');
  // Beside it, then moved: another command may be reading it, or building it too.
  const draft = join(packageRoot, 'build', `page-${String(process.pid)}`);
  const old = `${draft}-old`;
  try {
    await build({
      root: packageRoot,
      configFile: join(packageRoot, 'vite.config.ts'),
      logLevel: 'warn',
      build: { outDir: draft },
    });
    replaceFolder(pageFolder, draft, old);
  } finally {
    for (const folder of [draft, old]) rmSync(folder, { recursive: true, force: true });
  }
}

export interface PageServer {
  /** Address of the page, ending in a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** @returns whether the port could be had */
function listen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, 'localhost', () => {
      resolve(true);
    });
  });
}

/**
 * Serves `dist/` on this machine with the security headers.
 * @param port 0 to 65535; another free one is taken when it is in use
 */
export async function servePage(port: number): Promise<PageServer> {
  const files = sirv(pageFolder, {
    dev: true,
    setHeaders: (response) => {
      for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    },
  });
  const server = createServer((request, response) => {
    files(request, response, () => {
      response.writeHead(404, securityHeaders).end('Not found');
    });
  });
  for (let tried = port; ; tried = tried === 0 || tried >= 65_535 ? 0 : tried + 1) {
    if (await listen(server, tried)) break;
  }
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${String(taken)}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
