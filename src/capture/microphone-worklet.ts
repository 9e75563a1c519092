// Runs in the audio thread: mixes the microphone to mono and posts it in chunks, with their place in the context's time.

/** What the worklet posts. */
export interface MicrophoneChunk {
  /** The context's sample number of the chunk's first sample. */
  readonly startSample: number;
  /** Mono, -1..1. */
  readonly samples: Float32Array;
}

// The audio thread's own globals, which TypeScript's libraries lack.
declare const currentFrame: number;
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** 32 ms at 16 kHz: about 30 messages a second. */
const chunkSamples = 512;

class MicrophoneProcessor extends AudioWorkletProcessor {
  #samples = new Float32Array(chunkSamples);
  #filled = 0;
  #startSample = 0;

  process(inputs: readonly (readonly Float32Array[])[]): boolean {
    const channels = inputs[0] ?? [];
    const length = channels[0]?.length ?? 0;
    // A pause of the input breaks the chunk, so that its samples stay consecutive.
    if (this.#filled > 0 && this.#startSample + this.#filled !== currentFrame) this.#post();
    for (let i = 0; i < length; i++) {
      if (this.#filled === 0) this.#startSample = currentFrame + i;
      let sum = 0;
      for (const channel of channels) sum += channel[i] ?? 0;
      this.#samples[this.#filled++] = sum / channels.length;
      if (this.#filled === chunkSamples) this.#post();
    }
    return true;
  }

  #post(): void {
    const samples = this.#samples.slice(0, this.#filled);
    const chunk: MicrophoneChunk = { startSample: this.#startSample, samples };
    this.port.postMessage(chunk, [samples.buffer]);
    this.#filled = 0;
  }
}

registerProcessor('microphone', MicrophoneProcessor);
