// The build for registers of 256 bits: faster where V8 joins the halves of a row (see assembly/wide.ts), slower elsewhere.
// So it is measured before it is used. Its results are the other fused build's, bit for bit.
import { fused } from './kernels-wasm.ts';
import { wide } from './kernels-wide.ts';
import { decodeBuild, instantiate } from './module.ts';

/** A product of a training step's kind, which has incomplete tiles at its edges and more steps than a block. */
const sizes = { m: 247, k: 320, n: 516 };
const rounds = 5;

interface Trial {
  readonly ms: number;
  readonly product: Float32Array;
}

/** Multiplies by a build, base64, on a memory of its own. */
export function trial(build: string): Trial {
  const { m, k, n } = sizes;
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
  const kernels = instantiate(new WebAssembly.Module(decodeBuild(build)), memory);
  kernels.usePool(0, 1, 0);
  const a = 1024;
  const b = a + 4 * m * k;
  const bias = b + 4 * k * n;
  const c = bias + 4 * n;
  const scratch = c + 4 * m * n;
  new Float32Array(memory.buffer, a, m * k + k * n + n).forEach((_, i, values) => {
    values[i] = ((i * 7919) % 1000) / 1000 - 0.5;
  });
  const step = kernels.gemmScratchBytes(m, k, n);
  let ms = Infinity;
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    for (let i = 0; i < 4; i++) kernels.gemm(a, b, bias, 0, 1, c, m, k, n, 0, 0, 0, scratch, step);
    // The first round may still run unoptimized.
    if (round > 0) ms = Math.min(ms, performance.now() - started);
  }
  return { ms, product: new Float32Array(memory.buffer, c, m * n).slice() };
}

/** The wide build, base64, where it is faster here and right; else undefined. @throws where there is no relaxed SIMD */
export function wideBuild(): string | undefined {
  const narrow = trial(fused);
  const found = trial(wide);
  const same = found.product.every((value, i) => value === narrow.product[i]);
  return same && found.ms < narrow.ms ? wide : undefined;
}
