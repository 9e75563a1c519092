/// <reference types="vite/client" />
// A microphone's track as 16 kHz sound on the clock of performance.now().
import { withTimeout } from '../base/timeout.ts';
import type { MicrophoneChunk } from './microphone-worklet.ts';
import workletUrl from './microphone-worklet.ts?worker&url';
import { createSoundRing, soundRateHz } from './sound-ring.ts';
import type { Sound } from './source.ts';

const startLimitMs = 10_000;

/** Chunks over which the quickest delivery is looked for: about 4 s. */
const delayWindow = 128;

/** What is added between a microphone and the audio thread where the browser does not tell: two usual buffers. */
const usualInputLatencyMs = 20;

export interface Microphone {
  readonly sound: Sound;
  /** Disconnects and closes the audio context; the track stays the caller's. */
  close(): void;
}

/**
 * The browser resamples to 16 kHz by itself.
 *
 * Clock: a chunk's own time is exact but counts from the context's start. Messages only ever come late, so the quickest of
 * the last 4 s tells where that start lies on performance.now(); the input's latency (the track's own figure, else 20 ms)
 * is taken off. What remains is an error of some 10-20 ms, against the 160 ms and more between a clip's frames.
 * @param originMs performance.now() at the source's time 0
 * @throws DOMException where the browser cannot bring the track to 16 kHz; Problem `timeout`
 */
export async function openMicrophone(track: MediaStreamTrack, originMs: number): Promise<Microphone> {
  const context = new AudioContext({ sampleRate: soundRateHz });
  try {
    // A browser may hold the context until the person has clicked; asking for a device came from a click.
    const late = 'The microphone did not start: click the page once and start again';
    await withTimeout(
      Promise.all([context.audioWorklet.addModule(workletUrl), context.resume()]),
      startLimitMs,
      late,
    );
    const input = context.createMediaStreamSource(new MediaStream([track]));
    const node = new AudioWorkletNode(context, 'microphone', { numberOfInputs: 1, numberOfOutputs: 0 });
    const ring = createSoundRing();
    const latency = (track.getSettings() as { latency?: number }).latency;
    const latencyMs = latency !== undefined && latency > 0 ? latency * 1000 : usualInputLatencyMs;
    const delays: number[] = [];
    node.port.onmessage = ({ data }: MessageEvent<MicrophoneChunk>) => {
      const startMs = (data.startSample / soundRateHz) * 1000;
      const lengthMs = (data.samples.length / soundRateHz) * 1000;
      delays.push(performance.now() - (startMs + lengthMs));
      if (delays.length > delayWindow) delays.shift();
      ring.write(startMs + Math.min(...delays) - latencyMs - originMs, data.samples);
    };
    input.connect(node);
    return {
      sound: ring,
      close() {
        node.port.onmessage = null;
        input.disconnect();
        if (context.state !== 'closed') void context.close();
      },
    };
  } catch (error) {
    void context.close();
    throw error;
  }
}
