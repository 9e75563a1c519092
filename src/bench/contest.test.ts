// The measuring page with real contenders on the smallest model; no times are judged.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contest } from './contest.ts';
import { startPageHost } from './page-host.ts';
import type { OpenPage, PageHost } from './page-host.ts';
import { configOf, makeTask } from './weights.ts';

describe('contest', () => {
  let host: PageHost;
  let page: OpenPage;

  beforeAll(async () => {
    host = await startPageHost();
    page = await host.open();
  });

  afterAll(async () => {
    await page.close();
    await host.close();
  });

  it('runs all three on the same weights, and they agree', async () => {
    const made = await makeTask(host.dataFolder, 'model', configOf('micro'), { batch: 2 });
    const kinds = ['ours', 'ort', 'tfjs'] as const;
    const results = await contest(page, { backend: 'wasm', threads: 1, task: made.task, kinds, rounds: 2 });
    for (const kind of kinds) {
      const result = results.get(kind);
      if (result?.ok !== true) throw new Error(`${kind}: ${result?.reason ?? 'no result'}`);
      expect(result.times.count).toBe(2);
      expect(result.difference).toBeLessThan(1e-4);
      expect(result.wasmBytes).toBeGreaterThan(1e6);
    }
    await made.remove();
  });

  it('refuses contenders that disagree', async () => {
    const config = configOf('micro');
    const made = await makeTask(host.dataFolder, 'block', config);
    const other = await makeTask(host.dataFolder, 'block', { ...config, heads: 2 });
    const task = { ...made.task, onnxUrl: other.task.onnxUrl };
    const kinds = ['ours', 'ort'] as const;
    await expect(contest(page, { backend: 'wasm', threads: 1, task, kinds, rounds: 1 })).rejects.toThrow(
      /onnxruntime-web and ours disagree/,
    );
    await made.remove();
    await other.remove();
  });
});
