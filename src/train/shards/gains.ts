// How much louder the sound of prepared samples is to be for a model that names a speech level.
import { speechLevelDb as speechLevelDbOf } from '../../clip/voice.ts';
import { progress } from '../progress.ts';
import type { SampleSet } from '../sample.ts';
import { sharedFloats } from '../shared-array.ts';
import type { SharedFloats } from '../shared-array.ts';
import { levelGains } from '../stills/voice-level.ts';
import type { VoiceLeveling } from '../stills/voice-level.ts';

/**
 * Listens to samples and tells what their sound is to be multiplied by; their speakers are the corpora's identities.
 * @param ids which samples are heard; the rest, and those without sound, keep theirs
 * @param speechLevelDb what a speaker's usual level becomes, dB re full scale; null: voices are as they are
 * @returns a factor for every sample of the set; null: all are as they are
 */
export async function soundGains(
  set: SampleSet,
  ids: readonly number[],
  speechLevelDb: number | null,
  leveling: VoiceLeveling,
  say: (line: string) => void,
): Promise<SharedFloats | null> {
  if (speechLevelDb === null || leveling === 'as-is') return null;
  const heard = ids.filter((i) => set.samples[i]!.sampleCount > 0);
  const levelsDb = new Float32Array(heard.length);
  const tell = progress('levels of voices', say);
  for (const [k, i] of heard.entries()) {
    const sound = await set.sound(i);
    levelsDb[k] = (sound && speechLevelDbOf(sound, -Infinity)) ?? NaN;
    tell(k + 1, heard.length);
  }
  const speakers = heard.map((i) => `${set.samples[i]!.corpus}/${set.samples[i]!.identity ?? ''}`);
  const gains = sharedFloats(set.samples.length).fill(1);
  levelGains(levelsDb, speakers, speechLevelDb, leveling).forEach((gainDb, k) => {
    gains[heard[k]!] = 10 ** (gainDb / 20);
  });
  return gains;
}
