// Sound level, for the meter and for saying that nothing is heard. Pure.

/** The meter's floor: quieter than any room a microphone hears. */
export const floorDb = -90;

/** Quieter than this for a while reads as a muted microphone or a silent track. */
export const silentDb = -65;

/** Root mean square level, dB re full scale (a full-scale square wave is 0 dB), not below -90; null for no samples. */
export function levelDb(samples: Float32Array): number | null {
  if (samples.length === 0) return null;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / samples.length);
  return Math.max(floorDb, 20 * Math.log10(Math.max(rms, 1e-9)));
}
