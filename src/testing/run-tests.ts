// `npm test`: every check of the project, in order, stopping at the first that fails. Finds a Chromium or installs one.
import { spawnSync } from 'node:child_process';
import { chromiumArgs, findChromium } from '../site/chromium.ts';

function run(command: string, args: readonly string[], timeoutMs = 20 * 60_000): boolean {
  console.log(`\n> ${command} ${args.join(' ')}`);
  const result = spawnSync(command, args, { stdio: 'inherit', timeout: timeoutMs });
  return result.status === 0;
}

/** Whether the browser found really starts: a distribution's placeholder script does not. */
function chromiumStarts(): boolean {
  const path = findChromium();
  if (path === undefined) return false;
  const args = [...chromiumArgs, '--headless=new', '--dump-dom', 'data:text/html,started'];
  const result = spawnSync(path, args, { encoding: 'utf8', timeout: 60_000 });
  return result.stdout.includes('started');
}

function installChromium(): void {
  console.log('No Chromium found: installing one (Playwright, else apt).');
  if (run('npx', ['playwright', 'install', '--with-deps', 'chromium'], 10 * 60_000) && chromiumStarts())
    return;
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const apt = (...args: string[]): boolean => {
    const [command = 'apt-get', ...rest] = [...sudo, 'apt-get', ...args];
    return run(command, rest, 15 * 60_000);
  };
  if (apt('update') && apt('install', '-y', '--no-install-recommends', 'chromium') && chromiumStarts())
    return;
  console.error(
    'No Chromium could be installed. Install Chromium or Google Chrome, or set CHROMIUM_PATH to one, and run npm test again.',
  );
  process.exit(1);
}

const steps: readonly (readonly string[])[] = [
  ['tsc'],
  ['eslint', '.'],
  ['prettier', '--check', '.'],
  ['vitest', 'run', '--project', 'node'],
  ['vitest', 'run', '--project', 'browser'],
  ['tsx', 'src/testing/golden-main.ts'],
  ['vite', 'build', '--logLevel', 'warn'],
  ['playwright', 'test'],
];

if (!chromiumStarts()) installChromium();
const started = Date.now();
for (const [index, step] of steps.entries()) {
  if (!run('npx', ['--no-install', ...step])) {
    console.error(`\nFailed: ${step.join(' ')} (step ${index + 1} of ${steps.length})`);
    process.exit(1);
  }
}
console.log(`\nAll ${steps.length} steps passed in ${Math.round((Date.now() - started) / 1000)} s.`);
