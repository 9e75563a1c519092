import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const goldenFolder = join(import.meta.dirname, 'golden');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golden-test-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs the command as `npm run golden -- ...` does. */
function golden(...args: string[]): Promise<{ code: number; output: string }> {
  const command = ['--import', 'tsx', join(import.meta.dirname, 'golden-main.ts'), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

describe('npm run golden', () => {
  it('prints a row for each fixture and passes', async () => {
    const { code, output } = await golden('--only', 'finetune_micro');
    expect(output).toMatch(/finetune_micro +31 .* ok /);
    expect(output).toContain('on wasm (wasm: SIMD');
    expect(code).toBe(0);
  });

  it('exits 1 on a miss and names the tensor', async () => {
    const text = await readFile(join(goldenFolder, 'finetune_micro.json'), 'utf8');
    const fixture = JSON.parse(text) as { tensors: { logits: { v64: number[] } } };
    fixture.tensors.logits.v64[3] = (fixture.tensors.logits.v64[3] ?? 0) + 1.5e-4;
    await writeFile(join(folder, 'finetune_micro.json'), JSON.stringify(fixture));
    await copyFile(join(goldenFolder, 'param_groups.json'), join(folder, 'param_groups.json'));
    await writeFile(join(folder, 'state_dicts.json'), 'not json');
    await writeFile(join(folder, 'unknown.json'), '{}');
    const { code, output } = await golden(folder, '--backend', 'cpu');
    expect(code).toBe(1);
    expect(output).toMatch(/finetune_micro +31 .* MISSED/);
    expect(output).toMatch(/missed: logits: error 1\.[45]\de-4/);
    expect(output).toMatch(/param_groups +4 .* ok /);
    expect(output).toMatch(/state_dicts +0 .* FAILED .*cannot be read as JSON/);
    expect(output).toContain('left out: unknown.json (no check)');
  });

  it('exits 1 when there is nothing to compare', async () => {
    for (const args of [[join(folder, 'missing')], ['--only', 'nothing']]) {
      const { code, output } = await golden(...args);
      expect(code).toBe(1);
      expect(output).toMatch(/cannot read the folder|nothing was compared/);
    }
  });
});
