// A worker thread that decodes one media file at a time with FFmpeg.
import { closeSync, fstatSync, openSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { Problem } from '../../../base/errors.ts';
import { sampleRateHz } from '../../../clip/log-mel.ts';
import { serve } from '../../base/threads.ts';
import type { DecodeReply, DecodeRequest, MediaPart } from './decode.ts';
import { openFfmpeg } from './ffmpeg.ts';
import type { Ffmpeg } from './ffmpeg.ts';
import { ringWriter } from './frame-ring.ts';

/** Pictures are shrunk to this longest side, as the live path does before it crops. */
const longestSidePx = 960;

interface ProbedStream {
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly avg_frame_rate?: string;
  readonly r_frame_rate?: string;
  readonly disposition?: { readonly attached_pic?: number };
}
interface Probed {
  readonly streams?: readonly ProbedStream[];
  readonly format?: { readonly duration?: string };
}

const module = workerData as WebAssembly.Module;

function unreadable(path: string, why: string, cause?: unknown): Problem {
  return new Problem('unsupported-file', `${path} cannot be decoded: ${why}`, { cause });
}

/** FFmpeg's own words: the first ones are nearest to the cause. */
function inWords(errors: readonly string[]): string {
  const lines = errors
    .map((line) => line.replace(/^\[[^\]]* @ 0x[0-9a-f]+\] /, '').replace(/^\/input: /, ''))
    .filter((line, i, all) => all.indexOf(line) === i);
  return lines.slice(0, 2).join('; ').slice(0, 300);
}

function ratio(text: string | undefined): number {
  const [over = 0, under = 1] = (text ?? '').split('/').map(Number);
  return under > 0 && over > 0 ? over / under : 0;
}

/** Where to begin and how long to go on, before the input. */
function cut({ startMs, endMs }: MediaPart, maxSeconds: number): string[] {
  const seconds = (ms: number): string => (ms / 1000).toFixed(6);
  const wantedMs = Math.min(endMs === undefined ? Infinity : endMs - (startMs ?? 0), maxSeconds * 1000);
  return [...(startMs === undefined ? [] : ['-ss', seconds(startMs)]), '-t', seconds(wantedMs)];
}

function pictureFilter({ region, fps }: Extract<DecodeRequest, { kind: 'frames' }>): string {
  const parts: string[] = [];
  // Times begin at the file's beginning, not at the first picture: sound and pictures stay together.
  if (fps !== 'source') parts.push(`fps=${String(fps)}:start_time=0`);
  if (region) {
    const { x, y, width, height } = region;
    parts.push(`crop=iw*${String(width)}:ih*${String(height)}:iw*${String(x)}:ih*${String(y)}`);
  }
  // Pixels that are not square become square, as in a player.
  const most = String(longestSidePx);
  parts.push(
    `scale=w='max(1,round(iw*sar*min(1,${most}/max(iw*sar,ih))))':h='max(1,round(ih*min(1,${most}/max(iw*sar,ih))))':flags=bicubic+accurate_rnd+full_chroma_int`,
  );
  return parts.join(',');
}

function decodeFrames(
  ffmpeg: Ffmpeg,
  request: Extract<DecodeRequest, { kind: 'frames' }>,
  stream: ProbedStream,
): DecodeReply {
  const writer = ringWriter(request.ring);
  ffmpeg.mountOutput('/output', (bytes) => writer.write(bytes));
  const { code, errors } = ffmpeg.exec([
    ...['-v', 'error', ...cut(request, request.maxSeconds), '-i', '/input', '-map', '0:V:0'],
    ...['-vf', pictureFilter(request), '-fps_mode', 'passthrough', '-pix_fmt', 'rgb24'],
    ...['-f', 'image2pipe', '-c:v', 'ppm', '/output'],
  ]);
  const frameCount = writer.end();
  if (frameCount === 0) {
    throw unreadable(
      request.path,
      inWords(errors) || `no picture came out of it (FFmpeg ended with ${String(code)})`,
    );
  }
  const frameRateHz =
    request.fps === 'source' ? ratio(stream.avg_frame_rate) || ratio(stream.r_frame_rate) : request.fps;
  return { kind: 'frames', frameCount, frameRateHz, damage: damageOf(code, errors) };
}

function decodeSound(ffmpeg: Ffmpeg, request: Extract<DecodeRequest, { kind: 'sound' }>): DecodeReply {
  const parts: Uint8Array[] = [];
  ffmpeg.mountOutput('/output', (bytes) => parts.push(bytes.slice()));
  const { code, errors } = ffmpeg.exec([
    ...['-v', 'error', ...cut(request, request.maxSeconds), '-i', '/input', '-map', '0:a:0'],
    // Holes in the sound become silence, and it begins where the file does.
    ...['-af', 'aresample=async=1:first_pts=0', '-ac', '1', '-ar', String(sampleRateHz)],
    ...['-f', 'f32le', '-c:a', 'pcm_f32le', '/output'],
  ]);
  const bytes = Buffer.concat(parts);
  if (bytes.length < 4) {
    throw unreadable(
      request.path,
      inWords(errors) || `no sound came out of it (FFmpeg ended with ${String(code)})`,
    );
  }
  const samples = new Float32Array(bytes.length >> 2);
  for (let i = 0; i < samples.length; i++) {
    const value = bytes.readFloatLE(4 * i);
    samples[i] = Number.isFinite(value) ? Math.min(1, Math.max(-1, value)) : 0;
  }
  return { kind: 'sound', samples, damage: damageOf(code, errors) };
}

function damageOf(code: number, errors: readonly string[]): string | null {
  if (errors.length > 0) return inWords(errors);
  return code === 0 ? null : `FFmpeg ended with ${String(code)}`;
}

serve<DecodeRequest, DecodeReply>(async (request) => {
  const { path, kind } = request;
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw unreadable(
      path,
      `it cannot be opened (${error instanceof Error ? error.message : String(error)})`,
      error,
    );
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw unreadable(path, 'it is not a file');
    if (stat.size === 0) throw unreadable(path, 'it is empty');
    const ffmpeg = await openFfmpeg(module);
    ffmpeg.mountInput('/input', file, stat.size);
    const { text, errors } = ffmpeg.probe([
      ...['-v', 'error', '-of', 'json', '-show_entries'],
      'stream=codec_type,codec_name,avg_frame_rate,r_frame_rate:stream_disposition=attached_pic:format=duration',
      '/input',
    ]);
    const { streams = [], format } = JSON.parse(text === '' ? '{}' : text) as Probed;
    if (!streams.some(({ codec_type: type }) => type === 'video' || type === 'audio')) {
      throw unreadable(path, inWords(errors) || 'it holds neither pictures nor sound');
    }
    const wanted = kind === 'frames' ? 'video' : 'audio';
    const stream = streams.find(
      ({ codec_type: type, disposition }) => type === wanted && disposition?.attached_pic !== 1,
    );
    const durationMs = Math.round(1000 * Number(format?.duration ?? NaN));
    const length = Number.isFinite(durationMs) ? durationMs : null;
    if (stream === undefined) return { kind: 'none', durationMs: length, damage: damageOf(0, errors) };
    const reply = kind === 'frames' ? decodeFrames(ffmpeg, request, stream) : decodeSound(ffmpeg, request);
    return { ...reply, durationMs: length };
  } finally {
    closeSync(file);
  }
});
