// A worker thread that turns Opus files into log-mel frames.
import { OggOpusDecoder } from 'ogg-opus-decoder';
import { Problem } from '../../../base/errors.ts';
import { kaldiFbank, sampleRateHz } from '../../../clip/log-mel.ts';
import { serve } from '../../base/threads.ts';
import { melSteps, readBytes } from './voices.ts';
import type { DecodeReply, DecodeRequest } from './voices.ts';

// The package's types lack the option that its documentation names.
const options = { sampleRate: sampleRateHz } as ConstructorParameters<typeof OggOpusDecoder>[0];
const decoder = new OggOpusDecoder(options);

/** The samples of a file, channels averaged. */
async function decode(path: string): Promise<Float32Array> {
  await decoder.ready;
  const { channelData, errors } = await decoder.decodeFile(readBytes(path)).catch((error: unknown) => {
    throw new Problem('unsupported-file', `${path} cannot be decoded (${String(error)}); wanted Ogg Opus.`, {
      cause: error,
    });
  });
  await decoder.reset();
  const [first, ...others] = channelData;
  if (first === undefined || first.length === 0) {
    throw new Problem(
      'unsupported-file',
      `${path} holds no Opus sound (${errors[0]?.message ?? 'nothing was decoded'}). Is the file whole?`,
    );
  }
  if (others.length === 0) return first;
  return first.map(
    (value, i) => (value + others.reduce((sum, channel) => sum + (channel[i] ?? 0), 0)) / channelData.length,
  );
}

serve<DecodeRequest, DecodeReply>(async ({ paths, bandLimitHz, melBins }) => {
  const parts: Float32Array[] = [];
  const frames: number[] = [];
  for (const path of paths) {
    const samples = await decode(path);
    const fbank = kaldiFbank(samples, { bandLimitHz, melBins });
    parts.push(fbank.frames);
    frames.push(fbank.frameCount);
  }
  const mel = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) for (const value of part) mel[at++] = Math.round(value * melSteps);
  return { frames, mel };
});
