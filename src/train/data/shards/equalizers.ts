// How the voices of prepared samples are equalized for a model that names a usual voice.
import type { ClipSpec } from '../../../clip/spec.ts';
import { kaldiFbank, usedBinCount } from '../../../clip/log-mel.ts';
import { speechSpectrum } from '../../../clip/usual-voice.ts';
import type { VoiceSpectrum } from '../../../clip/usual-voice.ts';
import { progress } from '../../base/progress.ts';
import type { SampleSet } from '../sample.ts';
import { sharedFloats } from '../../base/shared-array.ts';
import type { SharedFloats } from '../../base/shared-array.ts';
import { equalizersOf } from '../stills/equalize.ts';
import type { Equalizing } from '../stills/equalize.ts';

/** Spectra of samples' voices; their speakers are the corpora's identities. */
export interface HeardVoices {
  /** Numbers of the samples with sound. */
  readonly ids: readonly number[];
  readonly speakers: readonly string[];
  readonly spectra: readonly VoiceSpectrum[];
}

/** Listens to samples; those without sound are left out. */
export async function hearVoices(
  set: SampleSet,
  ids: readonly number[],
  bandLimitHz: number | null,
  melBins: number,
  say: (line: string) => void,
): Promise<HeardVoices> {
  const heard = ids.filter((i) => set.samples[i]!.sampleCount > 0);
  const usedBins = usedBinCount(bandLimitHz, melBins);
  const spectra: VoiceSpectrum[] = [];
  const tell = progress('usual voices', say);
  for (const [k, i] of heard.entries()) {
    const sound = (await set.sound(i)) ?? new Float32Array(0);
    const { frames } = kaldiFbank(sound, { bandLimitHz, melBins });
    spectra.push(speechSpectrum(frames, melBins, usedBins));
    tell(k + 1, heard.length);
  }
  const speakers = heard.map((i) => `${set.samples[i]!.corpus}/${set.samples[i]!.identity ?? ''}`);
  return { ids: heard, speakers, spectra };
}

/**
 * What is to be added to the log-mel energies of samples.
 * @param count samples of the set; those not heard keep theirs
 * @returns shape [count, M]; null: all are as they are
 */
export function sampleEqualizers(
  { ids, speakers, spectra }: HeardVoices,
  count: number,
  { usualSpectrum, bandLimitHz }: Pick<ClipSpec, 'usualSpectrum' | 'bandLimitHz'>,
  how: Equalizing,
): SharedFloats | null {
  if (usualSpectrum === null || how === 'as-is') return null;
  const melBins = usualSpectrum.length;
  const all = sharedFloats(count * melBins);
  const usedBins = usedBinCount(bandLimitHz, melBins);
  equalizersOf(spectra, speakers, usualSpectrum, usedBins, how).forEach((equalizer, k) => {
    all.set(equalizer, ids[k]! * melBins);
  });
  return all;
}
