// Uncompressed video and sound files, as Chromium's fake devices read them.

/** One picture as planar YUV 4:2:0 (BT.601, limited range): Y, then U, then V. */
export function toI420(rgba: Uint8ClampedArray, width: number, height: number): Uint8Array {
  if (width % 2 !== 0 || height % 2 !== 0) throw new Error(`${width}x${height}: even sides are wanted.`);
  const pixels = width * height;
  const planes = new Uint8Array((pixels * 3) / 2);
  for (let i = 0; i < pixels; i++) {
    const r = rgba[4 * i] ?? 0;
    const g = rgba[4 * i + 1] ?? 0;
    const b = rgba[4 * i + 2] ?? 0;
    planes[i] = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256 + 0.5;
  }
  // One color for each 2x2 pixels: that of their mean.
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      const sum = [0, 0, 0];
      for (const i of [y * width + x, y * width + x + 1, (y + 1) * width + x, (y + 1) * width + x + 1]) {
        for (let c = 0; c < 3; c++) sum[c] = (sum[c] ?? 0) + (rgba[4 * i + c] ?? 0) / 4;
      }
      const [r = 0, g = 0, b = 0] = sum;
      const at = pixels + (y / 2) * (width / 2) + x / 2;
      planes[at] = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256 + 0.5;
      planes[at + pixels / 4] = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256 + 0.5;
    }
  }
  return planes;
}

/** @param frames each from toI420 */
export function writeY4m(frames: readonly Uint8Array[], width: number, height: number, fps: number): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`YUV4MPEG2 W${width} H${height} F${fps}:1 Ip A1:1 C420jpeg\n`)];
  for (const frame of frames) parts.push(Buffer.from('FRAME\n'), frame);
  return Buffer.concat(parts);
}

/** @param samples mono, -1..1; written as 16 bit */
export function writeWav(samples: Float32Array, sampleRateHz: number): Buffer {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); // PCM
  bytes.writeUInt16LE(1, 22); // channels
  bytes.writeUInt32LE(sampleRateHz, 24);
  bytes.writeUInt32LE(2 * sampleRateHz, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(2 * samples.length, 40);
  samples.forEach((value, i) => {
    bytes.writeInt16LE(Math.round(32767 * Math.min(1, Math.max(-1, value))), 44 + 2 * i);
  });
  return bytes;
}
