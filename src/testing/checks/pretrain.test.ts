// The pre-training model against the official numbers; tiny, small and base run by `npm run golden`.
import { describe, expect, it } from 'vitest';
import { fixture, testAgreement } from '../agreement.ts';
import { useBackend } from '../backends.ts';
import { holds } from '../golden.ts';
import { checkpointLoadingCheck } from './checkpoint-loading.ts';
import { macsCheck } from './macs.ts';
import { optimizerCheck } from './optimizer.ts';
import { pretrainCheck } from './pretrain.ts';

testAgreement('the pre-training model', [
  ['cpu', 'pretrain_micro.json', 825, pretrainCheck],
  ['wasm', 'pretrain_micro.json', 825, pretrainCheck],
  ['wasm', 'optimizer.json', 870, optimizerCheck],
  ['cpu', 'macs.json', 43, macsCheck],
  ['cpu', 'checkpoint_loading.json', 15, checkpointLoadingCheck],
]);

describe('the check', () => {
  it('misses other masks, other weights of the loss, and a stage that the model does not deliver', async () => {
    await useBackend('wasm');
    const original = fixture('pretrain_micro.json');
    // Not the variants: they would be two more passes each time.
    delete original['grads_with_weight_1'];
    delete original['target.video_without_frame_diff'];
    const missed = async (change: Record<string, unknown>): Promise<string[]> => {
      const comparisons = await pretrainCheck.run({ ...original, ...change });
      return comparisons.filter((comparison) => !holds(comparison)).map(({ tensor }) => tensor);
    };
    expect(await missed({ visible_video_positions: [[1], [0], [1]] })).toEqual(['visible video positions']);
    expect(await missed({ loss_weight: 0.003 })).toContain('loss');
    expect(await missed({ temperature: 0.08 })).toContain('logits_per_video.2, fused');
    const tensors = original['tensors'] as Record<string, unknown>;
    expect(await missed({ tensors: { ...tensors, extra: tensors['encoder'] } })).toEqual([
      'extra (not delivered)',
    ]);
    expect((await missed({ salt: 'another' })).length).toBeGreaterThan(400);
  });
});
