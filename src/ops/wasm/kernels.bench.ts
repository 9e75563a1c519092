// Speed of the kernels against what tfjs' wasm backend does for the same mathematics: `npx tsx src/ops/wasm/kernels.bench.ts`
// (`--plain` leaves fused multiply-add out). Prints best times of rounds in turn, and their ratio; trust the ratio.
import { setFlagsFromString } from 'node:v8';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { attention } from '../attention.ts';
import { defined } from '../../base/assert.ts';
import { gelu } from '../gelu.ts';
import { kernelNames } from '../kernels.ts';
import type { KernelName } from '../kernels.ts';
import { layerNorm } from '../layer-norm.ts';
import { columnSum } from '../matmul.ts';
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
    const a = tf.randomNormal<tf.Rank.R2>(transposeA ? [k, m] : [m, k]);
    const b = tf.randomNormal<tf.Rank.R2>(transposeB ? [n, k] : [k, n]);
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
const configs = kernelNames.map((name) => defined(tf.getKernel(name, 'wasm'), name));
let enabled = true;

/** An op with and without its kernel: the composite reference runs when the kernel is not registered. */
function against(name: string, flop: number, op: () => unknown): void {
  const switched = (on: boolean) => (): unknown => {
    if (on !== enabled) {
      for (const config of configs) {
        if (on) tf.registerKernel(config);
        else tf.unregisterKernel(config.kernelName, 'wasm');
      }
    }
    enabled = on;
    return op();
  };
  duel(name, flop, switched(true), switched(false));
  switched(true)();
}

{
  const a = tf.randomNormal<tf.Rank.R2>([4000, 128]);
  const b = tf.randomNormal<tf.Rank.R2>([4000, 512]);
  duel(
    'gemm 128 x 4000 x 512 A^T (dW)',
    2 * 4000 * 128 * 512,
    () => run('HicmaeGemm', { a, b }, { transposeA: true, transposeB: false }),
    () => tf.matMul(tf.transpose(a), b),
  );
  against('column sum 4000 x 512', 0, () => columnSum(b));
  against('gelu 4000 x 512', 0, () => gelu(b));
  against('gelu with gradient 4000 x 512', 0, () => tf.grad((x: tf.Tensor) => gelu(x))(b, b));
  const weight = tf.ones([128]);
  const bias = tf.zeros([128]);
  against('layer norm 4000 x 128', 0, () => layerNorm(a, weight, bias));
  const norm = (x: tf.Tensor, w: tf.Tensor, c: tf.Tensor): tf.Tensor => layerNorm(x, w, c);
  against('layer norm with gradient 4000 x 128', 0, () => tf.grads(norm)([a, weight, bias], a));
}
for (const [batch, queries, keys, heads, width] of [
  [110, 36, 36, 4, 32],
  [28, 144, 144, 4, 32],
  [1, 800, 800, 8, 64],
  [1, 800, 128, 8, 64],
] as const) {
  const d = heads * width;
  const [q, dy] = [tf.randomNormal<tf.Rank.R3>([batch, queries, d]), tf.randomNormal([batch, queries, d])];
  const [k, v] = [
    tf.randomNormal<tf.Rank.R3>([batch, keys, d]),
    tf.randomNormal<tf.Rank.R3>([batch, keys, d]),
  ];
  const flop = 4 * batch * queries * keys * d;
  against(`attention [${batch},${queries},${d}] to ${keys}, ${heads} heads`, flop, () =>
    attention(q, k, v, heads),
  );
  const op = (x: tf.Tensor, y: tf.Tensor, z: tf.Tensor): tf.Tensor =>
    attention(x as tf.Tensor3D, y as tf.Tensor3D, z as tf.Tensor3D, heads);
  against('  with gradient', 3.5 * flop, () => tf.grads(op)([q, k, v], dy));
  tf.dispose([q, k, v, dy]);
}
