// What an adapter is: its name, and whether there is a GPU behind it.

/** What the adapter calls itself. */
export function adapterName(info: GPUAdapterInfo): string {
  const parts = [info.vendor, info.architecture].filter((part) => part !== '');
  return parts.length > 0 ? parts.join(' ') : info.description || 'unnamed adapter';
}

/** Whether the CPU plays the GPU: slower than our wasm kernels are. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(text);
}
