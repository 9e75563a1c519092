// How loud voices are scored and trained. A recording's gain says nothing about its speaker, but a model that hears voices as
// recorded learns it; the page cannot know it either, and brings a speaker's usual level to the training's.

/** ln of a power ratio per decibel. */
export const perDb = Math.LN10 / 10;

/** What counts as a speaker's usual level, each in words. */
export const voiceLevelings = {
  usual: "Each speaker's usual level, the median of their clips, is brought to the model's.",
  own: "Each clip is brought to the model's usual level by itself, as when a speaker has been so for long.",
  'as-is': 'Voices are as loud as they were recorded.',
} as const;
export type VoiceLeveling = keyof typeof voiceLevelings;

/**
 * The usual level of each clip's speaker: the median of theirs.
 * @param levelsDb of each clip, dB; NaN: not known
 * @param speakers of each clip; who are called the same, also by an empty name, count as one
 * @returns dB, of each clip; NaN where none of the speaker's levels is known
 */
export function usualLevels(levelsDb: Float32Array, speakers: readonly string[]): Float32Array {
  const bySpeaker = new Map<string, number[]>();
  speakers.forEach((speaker, i) => {
    const levels = bySpeaker.get(speaker) ?? [];
    if (!Number.isNaN(levelsDb[i]!)) levels.push(levelsDb[i]!);
    bySpeaker.set(speaker, levels);
  });
  const medians = new Map([...bySpeaker].map(([speaker, levels]) => [speaker, median(levels)]));
  return Float32Array.from(speakers, (speaker) => medians.get(speaker) ?? NaN);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}

/**
 * By how much each clip is to be louder, dB; 0 where its level is not known. Parameters as {@link usualLevels}.
 * @param speechLevelDb what the usual level becomes, dB
 */
export function levelGains(
  levelsDb: Float32Array,
  speakers: readonly string[],
  speechLevelDb: number,
  leveling: VoiceLeveling,
): Float32Array {
  if (leveling === 'as-is') return new Float32Array(levelsDb.length);
  const levels = leveling === 'own' ? levelsDb : usualLevels(levelsDb, speakers);
  return levels.map((levelDb) => speechLevelDb - levelDb || 0);
}
