// A thread that helps with the wasm kernels until it is ended.
import { help } from '../ops/wasm/module.ts';
import type { HelperStart } from '../ops/wasm/module.ts';

self.onmessage = ({ data }: MessageEvent<HelperStart>) => {
  help(data, () => {
    self.postMessage('ready');
  });
};
