// The kernels as the module exports them. Pointers are byte offsets in tfjs' own memory; the module has no memory,
// no data and no heap of its own, and takes its scratch from the caller.
export { gemm, gemmScratchBytes } from './gemm';
export { gelu, geluGrad } from './pointwise';
export { columnSum, layerNorm, layerNormGrad } from './norm';
export { attention, attentionGrad, attentionGradScratchBytes, attentionScratchBytes } from './attention';
