// Sound in a shard: 16-bit PCM, mono, 16 kHz, which every tool reads.
import { Problem } from '../../../base/errors.ts';
import { sampleRateHz } from '../../../clip/log-mel.ts';

const headerBytes = 44;

/** @param samples 16 kHz mono, -1..1; what lies outside is clipped */
export function encodeWav(samples: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(headerBytes + 2 * samples.length);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(sampleRateHz, 24);
  bytes.writeUInt32LE(2 * sampleRateHz, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(2 * samples.length, 40);
  for (let i = 0; i < samples.length; i++) {
    const value = Math.round(samples[i]! * 32768);
    bytes.writeInt16LE(Math.min(32767, Math.max(-32768, value)), headerBytes + 2 * i);
  }
  return bytes;
}

/**
 * @param name for messages
 * @returns 16 kHz mono, -1..1
 * @throws Problem when it is another kind of wav, or cut short
 */
export function decodeWav(bytes: Uint8Array, name: string): Float32Array {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bad = (what: string): Problem =>
    new Problem('unsupported-file', `${name}: ${what}. Wanted a wav of 16-bit PCM, mono, 16000 Hz.`);
  if (
    view.length < 12 ||
    view.toString('latin1', 0, 4) !== 'RIFF' ||
    view.toString('latin1', 8, 12) !== 'WAVE'
  )
    throw bad('is not a wav file');
  let format: string | undefined;
  for (let at = 12; at + 8 <= view.length;) {
    const kind = view.toString('latin1', at, at + 4);
    const size = view.readUInt32LE(at + 4);
    const start = at + 8;
    if (kind === 'fmt ' && start + 16 <= view.length) {
      const [code, channels] = [view.readUInt16LE(start), view.readUInt16LE(start + 2)];
      const [rateHz, bits] = [view.readUInt32LE(start + 4), view.readUInt16LE(start + 14)];
      format = `${String(bits)}-bit, format ${String(code)}, ${String(channels)} channels, ${String(rateHz)} Hz`;
      if (code !== 1 || channels !== 1 || bits !== 16 || rateHz !== sampleRateHz)
        throw bad(`holds ${format}`);
    } else if (kind === 'data') {
      if (format === undefined) throw bad('has its data before its format');
      if (start + size > view.length) throw bad('is cut short');
      const samples = new Float32Array(size >> 1);
      for (let i = 0; i < samples.length; i++) samples[i] = view.readInt16LE(start + 2 * i) / 32768;
      return samples;
    }
    at = start + size + (size & 1);
  }
  throw bad('has no sound in it');
}
