// Tests that a golden check holds in Node: every comparison, all that the fixture records, and no tensor left behind.
import { readFileSync } from 'node:fs';
import { memory } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { constantCount } from '../ops/constant.ts';
import { useBackend } from './backends.ts';
import type { NodeBackend } from './backends.ts';
import { holds } from './golden.ts';
import type { GoldenCheck } from './golden.ts';

/** A fixture of testing/golden. */
export function fixture(fileName: string): Record<string, unknown> {
  const text = readFileSync(new URL(`./golden/${fileName}`, import.meta.url), 'utf8');
  return JSON.parse(text) as Record<string, unknown>;
}

const ownTensors = (): number => memory().numTensors - constantCount();

/** @param rows backend, fixture, number of comparisons, check */
export function testAgreement(
  what: string,
  rows: readonly (readonly [NodeBackend, string, number, GoldenCheck])[],
): void {
  describe(`${what} agrees with the official code`, () => {
    it.each(rows)('on %s: %s', async (backend, fileName, count, check) => {
      await useBackend(backend);
      const before = ownTensors();
      expect(check.covers(fileName)).toBe(true);
      const comparisons = await check.run(fixture(fileName));
      expect(comparisons.filter((comparison) => !holds(comparison))).toEqual([]);
      expect(comparisons).toHaveLength(count);
      expect(ownTensors()).toBe(before);
    });
  });
}
