// The tests of attention and its gradient, shared by all backends.
import { block, compare, zeros } from './kernel-case.ts';
import type { Block, KernelCase } from './kernel-case.ts';

/** One head of attention at a time, and its gradient, by definition. */
export function attentionCases(
  batch: number,
  nq: number,
  nk: number,
  heads: number,
  width: number,
  logits = 1,
): KernelCase[] {
  const d = heads * width;
  const reference = (q: Block, k: Block, v: Block, dy: Block): Block[] => {
    const [y, dq, dk, dv] = [zeros(q.shape), zeros(q.shape), zeros(k.shape), zeros(k.shape)];
    const scale = 1 / Math.sqrt(width);
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        const atQ = (i: number): number => (b * nq + i) * d + h * width;
        const atK = (j: number): number => (b * nk + j) * d + h * width;
        const dot = (x: Block, i: number, z: Block, j: number): number => {
          let sum = 0;
          for (let c = 0; c < width; c++) sum += x.values[i + c]! * z.values[j + c]!;
          return sum;
        };
        for (let i = 0; i < nq; i++) {
          const scores = Array.from({ length: nk }, (_, j) => scale * dot(q, atQ(i), k, atK(j)));
          const most = Math.max(...scores);
          const powers = scores.map((score) => Math.exp(score - most));
          const total = powers.reduce((sum, power) => sum + power, 0);
          const p = powers.map((power) => power / total);
          const dp = p.map((_, j) => dot(dy, atQ(i), v, atK(j)));
          const mean = p.reduce((sum, pj, j) => sum + pj * dp[j]!, 0);
          for (let j = 0; j < nk; j++) {
            const ds = p[j]! * (dp[j]! - mean) * scale;
            for (let c = 0; c < width; c++) {
              y.values[atQ(i) + c]! += p[j]! * v.values[atK(j) + c]!;
              dv.values[atK(j) + c]! += p[j]! * dy.values[atQ(i) + c]!;
              dq.values[atQ(i) + c]! += ds * k.values[atK(j) + c]!;
              dk.values[atK(j) + c]! += ds * q.values[atQ(i) + c]!;
            }
          }
        }
      }
    }
    return [y, dq, dk, dv];
  };
  const setup = (): Record<'q' | 'k' | 'v' | 'dy', Block> => ({
    q: block([batch, nq, d], logits),
    k: block([batch, nk, d], logits),
    v: block([batch, nk, d]),
    dy: block([batch, nq, d]),
  });
  const tolerance = 2e-6 * Math.max(1, logits);
  const name = `[${batch},${nq},${d}], ${heads} heads, logits to about ${4 * logits * logits}`;
  const cross: KernelCase[] = [
    {
      name: `cross attention to ${nk} ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const wanted = reference(q, k, v, dy).slice(0, 1);
        return compare('HicmaeCrossAttention', { q, kv: pack(k, v) }, { heads }, wanted);
      },
    },
    {
      name: `cross attention gradient to ${nk} ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const [, dq, dk, dv] = reference(q, k, v, dy);
        return compare('HicmaeCrossAttentionGrad', { q, kv: pack(k, v), dy }, { heads }, [
          dq!,
          pack(dk!, dv!),
        ]);
      },
    },
  ];
  if (nq !== nk) return cross;
  return [
    ...cross,
    {
      name: `self attention ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const wanted = reference(q, k, v, dy).slice(0, 1);
        return compare('HicmaeSelfAttention', { qkv: pack(q, k, v) }, { heads }, wanted);
      },
    },
    {
      name: `self attention gradient ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const [, ...gradients] = reference(q, k, v, dy);
        return compare('HicmaeSelfAttentionGrad', { qkv: pack(q, k, v), dy }, { heads }, [
          pack(...gradients),
        ]);
      },
    },
  ];
}

/** Blocks [.., D] side by side in the last dimension. */
function pack(...parts: Block[]): Block {
  const { shape } = parts[0]!;
  const d = shape.at(-1)!;
  const packed = zeros([...shape.slice(0, -1), parts.length * d]);
  parts.forEach(({ values }, p) => {
    values.forEach((value, i) => {
      packed.values[(Math.floor(i / d) * parts.length + p) * d + (i % d)] = value;
    });
  });
  return packed;
}
