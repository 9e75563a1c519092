// The one model of a page without a choice, in the place of a ModelSwitch, which is loaded only where there is something to switch.
import type { ModelSwitch, Reader } from './model-switch.ts';

export function fixedModel(reader: Reader): ModelSwitch {
  return {
    reader,
    status: null,
    cropSizesPx: [reader.recognizer.model.clip.cropPx],
    addFace(timeMs, face) {
      reader.assembler.addFace(timeMs, face);
    },
    took: () => undefined,
    settle: () => false,
    choose: () => undefined,
    failed: () => false,
  };
}
