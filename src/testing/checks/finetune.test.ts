// The fine-tuning model against the official numbers, by the composite ops; small and base run by `npm run golden`.
import { describe, expect, it } from 'vitest';
import { fixture, testAgreement } from '../agreement.ts';
import { useBackend } from '../backends.ts';
import { holds } from '../golden.ts';
import { finetuneGradsCheck } from './finetune-grads.ts';
import { finetuneCheck } from './finetune.ts';
import { formulaCheck } from './formula.ts';
import { parameterGroupsCheck, stateDictsCheck } from './state-dicts.ts';

testAgreement('the fine-tuning model', [
  ['cpu', 'finetune_micro.json', 31, finetuneCheck],
  ['cpu', 'finetune_micro_tanh3.json', 31, finetuneCheck],
  ['cpu', 'finetune_micro_grads.json', 473, finetuneGradsCheck],
  ['wasm', 'finetune_micro.json', 31, finetuneCheck],
  ['wasm', 'finetune_micro_tanh3.json', 31, finetuneCheck],
  ['wasm', 'finetune_micro_grads.json', 473, finetuneGradsCheck],
  ['wasm', 'finetune_tiny.json', 49, finetuneCheck],
  ['cpu', 'formula_vectors.json', 21, formulaCheck],
  ['cpu', 'state_dicts.json', 17, stateDictsCheck],
  ['cpu', 'param_groups.json', 4, parameterGroupsCheck],
]);

describe('the check', () => {
  it('misses another salt and a stage that the model does not deliver', async () => {
    await useBackend('wasm');
    const original = fixture('finetune_micro.json');
    const salted = await finetuneCheck.run({ ...original, salt: 'another' });
    expect(salted.filter((comparison) => !holds(comparison)).length).toBeGreaterThan(20);
    const tensors = original['tensors'] as Record<string, unknown>;
    const extended = await finetuneCheck.run({
      ...original,
      tensors: { ...tensors, extra: tensors['logits'] },
    });
    expect(extended.filter((comparison) => !holds(comparison)).map(({ tensor }) => tensor)).toEqual([
      'extra (not delivered)',
    ]);
  });

  it('says what is wrong with a file that is no fixture', async () => {
    await expect(finetuneCheck.run({ tensors: {} })).rejects.toThrow('salt is missing; wanted text');
    await expect(finetuneCheck.run([])).rejects.toThrow('the fixture is a list; wanted an object');
  });
});
