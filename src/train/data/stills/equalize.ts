// How voices are equalized in training and scoring. A recording's gain and color say nothing of what is felt, but a model that
// hears voices as recorded learns them, and who speaks; the page brings a speaker's usual voice to the training's.
import { equalizerOf } from '../../../clip/usual-voice.ts';
import type { VoiceSpectrum } from '../../../clip/usual-voice.ts';

/** ln of a power ratio per decibel. */
export const perDb = Math.LN10 / 10;

/** What counts as a speaker's usual voice, each in words. */
export const equalizings = {
  usual:
    "Each speaker's usual voice, the median of the spectra of their clips, is brought to the model's, without looking at labels.",
  own: "Each clip is brought to the model's usual voice by itself, as if nothing else were known of its speaker.",
  'as-is': 'Voices are as they were recorded.',
} as const;
export type Equalizing = keyof typeof equalizings;

/** What clips of one speaker have in common: the median of their spectra in each bin; silent clips are left out. */
export function usualVoice(spectra: readonly VoiceSpectrum[]): VoiceSpectrum {
  const heard = spectra.filter(({ frames }) => frames > 0);
  const [first] = heard;
  if (first === undefined) return { mean: new Float32Array(spectra[0]?.mean.length ?? 0), frames: 0 };
  const values = new Float32Array(heard.length);
  const middle = (heard.length - 1) / 2;
  return {
    mean: first.mean.map((_, m) => {
      heard.forEach(({ mean }, i) => (values[i] = mean[m]!));
      values.sort();
      return (values[Math.floor(middle)]! + values[Math.ceil(middle)]!) / 2;
    }),
    frames: heard.reduce((sum, { frames }) => sum + frames, 0),
  };
}

/** The usual voice of each speaker; who are called the same, also by an empty name, count as one. */
function usualVoices(
  spectra: readonly VoiceSpectrum[],
  speakers: readonly string[],
): Map<string, VoiceSpectrum> {
  const bySpeaker = new Map<string, VoiceSpectrum[]>();
  speakers.forEach((speaker, i) => {
    const own = bySpeaker.get(speaker);
    if (own) own.push(spectra[i]!);
    else bySpeaker.set(speaker, [spectra[i]!]);
  });
  return new Map([...bySpeaker].map(([speaker, own]) => [speaker, usualVoice(own)]));
}

/**
 * What a model trained on these clips takes for usual: the mean of the speakers' usual voices.
 * @param speakers of each clip
 * @returns ClipSpec's usualSpectrum, to two decimals; null when all are silent
 */
export function usualSpectrumOf(
  spectra: readonly VoiceSpectrum[],
  speakers: readonly string[],
): number[] | null {
  const voices = [...usualVoices(spectra, speakers).values()].filter(({ frames }) => frames > 0);
  const [first] = voices;
  if (first === undefined) return null;
  return Array.from(first.mean, (_, m) => {
    const mean = voices.reduce((sum, voice) => sum + voice.mean[m]!, 0) / voices.length;
    return Math.round(100 * mean) / 100;
  });
}

/**
 * What is to be added to each clip's log-mel energies; see equalizerOf.
 * @param speakers of each clip
 * @param target ClipSpec's usualSpectrum
 * @param usedBins bins below the band limit
 */
export function equalizersOf(
  spectra: readonly VoiceSpectrum[],
  speakers: readonly string[],
  target: readonly number[],
  usedBins: number,
  how: Exclude<Equalizing, 'as-is'>,
): Float32Array[] {
  if (how === 'own') return spectra.map((spectrum) => equalizerOf(spectrum, target, usedBins));
  const usual = new Map(
    [...usualVoices(spectra, speakers)].map(([speaker, voice]) => [
      speaker,
      equalizerOf(voice, target, usedBins),
    ]),
  );
  return speakers.map((speaker) => usual.get(speaker)!);
}
