// The bundled command by itself: no source, no tsx, another working directory.
import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeMadeSamples } from '../testing/made-samples.ts';
import { packageRoot } from './package-root.ts';

const run = promisify(execFile);
const root = mkdtempSync(join(tmpdir(), 'bundle-'));
const installed = join(root, 'package');
const command = (...args: string[]): Promise<{ stdout: string }> =>
  run(process.execPath, [join(installed, 'build/cli/main.js'), ...args], { cwd: root, timeout: 120_000 });

beforeAll(async () => {
  await run('npm', ['run', 'build:cli'], { cwd: packageRoot, timeout: 120_000 });
  cpSync(join(packageRoot, 'build/cli'), join(installed, 'build/cli'), { recursive: true });
  copyFileSync(join(packageRoot, 'package.json'), join(installed, 'package.json'));
  symlinkSync(join(packageRoot, 'node_modules'), join(installed, 'node_modules'));
  await writeMadeSamples(join(root, 'data'), { pairs: 8 });
}, 180_000);
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

it('trains, exports and scores without the repository', async () => {
  const { stdout: help } = await command('--help');
  expect(help).toContain('Usage: emotion-recognizer');
  const small = ['--size', 'micro', '--epochs', '2', '--batch', '4', '--part-size', '2', '--fold', '1'];
  const trained = await command('finetune', '--data', 'data', '--out', 'run', ...small);
  expect(trained.stdout).toContain('all steps done at step 2');
  await command('export', '--run', 'run', '--out', 'model');
  const { stdout } = await command('evaluate', '--model', 'model', '--data', 'data', '--fold', '1');
  expect(stdout).toMatch(/n 4/);
  await expect(command('finetune', '--bogus')).rejects.toMatchObject({ code: 1 });
}, 200_000);
