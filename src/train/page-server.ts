// The built page and its server: `npm start` and `analyze` show exactly the same thing.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build, preview } from 'vite';

/** What the built page is made from. */
const inputs = ['src', 'public', 'models', 'index.html', 'package-lock.json', 'vite.config.ts'];

function newestChangeMs(path: string): number {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestChangeMs(join(path, name))));
}

/** Builds `dist/` unless it is newer than everything it is made from. */
export async function buildIfNeeded(): Promise<void> {
  const builtMs = existsSync('dist/index.html') ? statSync('dist/index.html').mtimeMs : 0;
  if (builtMs > Math.max(...inputs.map(newestChangeMs))) return;
  console.log('Building the page ...');
  await build({ logLevel: 'warn' });
}

export interface PageServer {
  /** Address of the page, ending in a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `dist/` on this machine with the security headers of vite.config.ts.
 * @param port 0 to 65535; another free one is taken when it is in use.
 */
export async function servePage(port: number): Promise<PageServer> {
  const server = await preview({ preview: { port }, logLevel: 'error' });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) {
    await server.close();
    throw new Error(`The page's server got no local address on port ${port}; try another with --port.`);
  }
  return { url, close: () => server.close() };
}
