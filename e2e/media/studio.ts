// Runs inside a page: pictures and sound of the demo person or of a clip, for the fake devices and for a recording.
import { drawBackdrop, drawDemoFace } from '../../src/demo/demo-face.ts';
import { expressionAt } from '../../src/demo/demo-script.ts';
import { createDemoVoice } from '../../src/demo/demo-voice.ts';
import { toI420 } from './writers.ts';

const width = 640;
const height = 480;
const sampleRateHz = 48_000;

/** The second phase, happiness, and the beginning of the third, surprise. */
const demoFromMs = 6500;

export interface Studio {
  readonly durationMs: number;
  /** The picture at a time, planar YUV 4:2:0, base64. */
  picture(timeMs: number): Promise<string>;
  /** Little-endian float32 samples, mono, 48 kHz, base64. */
  sound(): string;
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(text);
}

function newCanvas(): { canvas: HTMLCanvasElement; pen: CanvasRenderingContext2D } {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (pen === null) throw new Error('no 2-D context');
  return { canvas, pen };
}

async function demoSound(durationMs: number): Promise<AudioBuffer> {
  const samples = createDemoVoice().read(demoFromMs + durationMs, durationMs);
  const offline = new OfflineAudioContext(1, (durationMs / 1000) * sampleRateHz, sampleRateHz);
  const source = offline.createBufferSource();
  source.buffer = new AudioBuffer({ length: samples.length, sampleRate: 16_000 });
  source.buffer.copyToChannel(new Float32Array(samples), 0);
  source.connect(offline.destination);
  source.start();
  return offline.startRendering();
}

export async function demoStudio(durationMs: number): Promise<Studio> {
  const { pen } = newCanvas();
  const backdrop = drawBackdrop();
  const sound = await demoSound(durationMs);
  return {
    durationMs,
    picture(timeMs) {
      drawDemoFace(pen, backdrop, expressionAt(demoFromMs + timeMs));
      return Promise.resolve(toBase64(toI420(pen.getImageData(0, 0, width, height).data, width, height)));
    },
    sound: () => toBase64(new Uint8Array(sound.getChannelData(0).buffer)),
  };
}

/** @param clip a media file, base64 */
export async function clipStudio(clip: string): Promise<Studio> {
  const bytes = Uint8Array.from(atob(clip), (character) => character.charCodeAt(0));
  const { pen } = newCanvas();
  const video = document.createElement('video');
  video.muted = true;
  video.src = URL.createObjectURL(new Blob([bytes]));
  await new Promise((resolve, reject) => {
    video.onloadeddata = resolve;
    video.onerror = () => {
      reject(new Error(`the clip cannot be played: ${video.error?.message ?? ''}`));
    };
  });
  const offline = new OfflineAudioContext(1, sampleRateHz, sampleRateHz);
  const sound = await offline.decodeAudioData(bytes.buffer);
  return {
    durationMs: video.duration * 1000,
    async picture(timeMs) {
      const seeked = new Promise((resolve) => {
        video.onseeked = resolve;
      });
      video.currentTime = timeMs / 1000;
      await seeked;
      pen.drawImage(video, 0, 0, width, height);
      return toBase64(toI420(pen.getImageData(0, 0, width, height).data, width, height));
    },
    sound: () => toBase64(new Uint8Array(new Float32Array(sound.getChannelData(0)).buffer)),
  };
}

/** The demo person as a browser records it, in real time. @returns WebM, base64 */
export async function recordDemo(durationMs: number): Promise<string> {
  const { canvas, pen } = newCanvas();
  const backdrop = drawBackdrop();
  const context = new AudioContext({ sampleRate: sampleRateHz });
  const voice = context.createBufferSource();
  voice.buffer = await demoSound(durationMs);
  const output = context.createMediaStreamDestination();
  voice.connect(output);
  const stream = new MediaStream([...canvas.captureStream(15).getTracks(), ...output.stream.getTracks()]);
  const recorder = new MediaRecorder(stream, {
    mimeType: 'video/webm;codecs=vp8,opus',
    videoBitsPerSecond: 2_000_000,
  });
  const chunks: Blob[] = [];
  recorder.ondataavailable = ({ data }) => chunks.push(data);
  const stopped = new Promise((resolve) => {
    recorder.onstop = resolve;
  });
  const startMs = performance.now();
  const timer = setInterval(() => {
    drawDemoFace(pen, backdrop, expressionAt(demoFromMs + performance.now() - startMs));
  }, 66);
  recorder.start();
  voice.start();
  setTimeout(() => {
    recorder.stop();
  }, durationMs);
  await stopped;
  clearInterval(timer);
  for (const track of stream.getTracks()) track.stop();
  await context.close();
  return toBase64(new Uint8Array(await new Blob(chunks).arrayBuffer()));
}
