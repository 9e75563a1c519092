// Speed of the kernels against what tfjs' wasm backend does for the same mathematics: `npx tsx src/ops/wasm/kernels.bench.ts`
// (`--plain` leaves fused multiply-add out). Prints best times of rounds in turn, and their ratio; trust the ratio.
import { setFlagsFromString } from 'node:v8';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import type { KernelName } from '../kernels.ts';
import { registerWasmKernels } from './register.ts';

setFlagsFromString('--experimental-wasm-relaxed-simd');
await tf.setBackend('wasm');
console.log((await registerWasmKernels({ fused: !process.argv.includes('--plain') })).reason);

const run = (
  name: KernelName,
  inputs: tf.NamedTensorMap,
  attrs: Record<string, number | boolean> = {},
): unknown => tf.engine().runKernel(name, inputs, attrs);

/** Milliseconds of one call: the best of some rounds. */
function best(call: () => unknown, soFar = Infinity): number {
  const start = performance.now();
  tf.tidy(() => {
    call();
  });
  return Math.min(soFar, performance.now() - start);
}

/** Runs both in turn and prints a line. */
function duel(name: string, flop: number, ours: () => unknown, stock?: () => unknown): void {
  let a = Infinity;
  let b = Infinity;
  for (let round = 0; round < 20; round++) {
    a = best(ours, a);
    if (stock && (round < 3 || b < 100)) b = best(stock, b);
  }
  const rate = flop ? `${(flop / a / 1e6).toFixed(1).padStart(6)} GFLOP/s` : ' '.repeat(14);
  const against = stock ? `  tfjs ${b.toFixed(2).padStart(8)} ms  ratio ${(b / a).toFixed(2)}` : '';
  console.log(`${name.padEnd(40)} ${a.toFixed(2).padStart(8)} ms ${rate}${against}`);
}

for (const [m, k, n] of [
  [4000, 128, 512],
  [4000, 512, 128],
  [4000, 128, 128],
  [800, 512, 2048],
] as const) {
  for (const [transposeA, transposeB] of [
    [false, false],
    [false, true],
    [true, false],
  ] as const) {
    const a = tf.randomNormal(transposeA ? [k, m] : [m, k]) as tf.Tensor2D;
    const b = tf.randomNormal(transposeB ? [n, k] : [k, n]) as tf.Tensor2D;
    const label = `gemm ${m} x ${k} x ${n}${transposeA ? ' A^T' : ''}${transposeB ? ' B^T' : ''}`;
    duel(
      label,
      2 * m * k * n,
      () => run('HicmaeGemm', { a, b }, { transposeA, transposeB }),
      () => tf.matMul(transposeA ? tf.transpose(a) : a, transposeB ? tf.transpose(b) : b),
    );
    tf.dispose([a, b]);
  }
}
{
  const a = tf.randomNormal([4000, 128]) as tf.Tensor2D;
  const b = tf.randomNormal([4000, 512]) as tf.Tensor2D;
  duel(
    'gemm 128 x 4000 x 512 A^T (dW)',
    2 * 4000 * 128 * 512,
    () => run('HicmaeGemm', { a, b }, { transposeA: true, transposeB: false }),
    () => tf.matMul(tf.transpose(a), b),
  );
  duel(
    'column sum 4000 x 512',
    0,
    () => run('HicmaeColumnSum', { x: b }),
    () => tf.sum(b, 0),
  );
  const gelu = (x: tf.Tensor): tf.Tensor =>
    tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  duel(
    'gelu 4000 x 512',
    0,
    () => run('HicmaeGelu', { x: b }),
    () => gelu(b),
  );
  duel(
    'gelu gradient 4000 x 512',
    0,
    () => run('HicmaeGeluGrad', { x: b, dy: b }),
    () => tf.grad(gelu)(b, b),
  );
  const weight = tf.ones([128]);
  const bias = tf.zeros([128]);
  const norm = (x: tf.Tensor, w: tf.Tensor, c: tf.Tensor): tf.Tensor => {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), w), c);
  };
  const epsilon = 1e-5;
  duel(
    'layer norm 4000 x 128',
    0,
    () => run('HicmaeLayerNorm', { x: a, weight, bias }, { epsilon }),
    () => norm(a, weight, bias),
  );
  duel(
    'layer norm gradient 4000 x 128',
    0,
    () => run('HicmaeLayerNormGrad', { x: a, weight, dy: a }, { epsilon }),
    () => tf.grads(norm)([a, weight, bias], a),
  );
}
for (const [batch, queries, keys, heads, width] of [
  [110, 36, 36, 4, 32],
  [28, 144, 144, 4, 32],
  [1, 800, 800, 8, 64],
  [1, 800, 128, 8, 64],
] as const) {
  const d = heads * width;
  const [q, dy] = [tf.randomNormal([batch, queries, d]), tf.randomNormal([batch, queries, d])];
  const [k, v] = [tf.randomNormal([batch, keys, d]), tf.randomNormal([batch, keys, d])];
  const split = (x: tf.Tensor): tf.Tensor =>
    tf.transpose(tf.reshape(x, [batch, -1, heads, width]), [0, 2, 1, 3]);
  const stock = (x: tf.Tensor, y: tf.Tensor, z: tf.Tensor): tf.Tensor => {
    const scores = tf.matMul(tf.mul(split(x), width ** -0.5), split(y), false, true);
    return tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), split(z)), [0, 2, 1, 3]), [
      batch,
      queries,
      d,
    ]);
  };
  const flop = 4 * batch * queries * keys * d;
  const label = `attention [${batch},${queries},${d}] to ${keys}, ${heads} heads`;
  duel(
    label,
    flop,
    () => run('HicmaeAttention', { q, k, v }, { heads }),
    () => stock(q, k, v),
  );
  duel(
    '  gradient',
    2.5 * flop,
    () => run('HicmaeAttentionGrad', { q, k, v, dy }, { heads }),
    batch === 1 ? undefined : () => tf.grads(stock)([q, k, v], dy),
  );
  tf.dispose([q, k, v, dy]);
}
