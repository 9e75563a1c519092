// What the demo person does when: phases of feeling, the syllables spoken in each, and the face that goes with them.
// A pure function of time, so that face and voice agree and every run is the same.
import { random } from '../base/random.ts';

export type DemoFeeling = 'neutral' | 'happy' | 'surprise' | 'sad' | 'angry' | 'fear' | 'disgust';

/** The order of the phases; after the last the script starts again. */
export const demoFeelings: readonly DemoFeeling[] = [
  'neutral',
  'happy',
  'surprise',
  'sad',
  'angry',
  'fear',
  'disgust',
];

/** Each phase has two phrases, and each phrase begins and ends in silence. */
export const phraseMs = 2500;
export const phaseMs = 2 * phraseMs;
/** Time that the face takes from one phase's expression to the next. */
const transitionMs = 700;

/** What the face shows. Amounts are 0..1 unless said otherwise; 0 is at rest. */
export interface Expression {
  /** -1 (corners down) .. 1 (corners up). */
  smile: number;
  /** Opening of the mouth. */
  open: number;
  /** -1 (pursed) .. 1 (stretched). */
  wide: number;
  /** -1 (lowered) .. 1 (raised). */
  brow: number;
  /** Inner ends of the brows raised: sadness, fear. */
  innerBrow: number;
  /** Brows drawn down and together: anger. */
  frown: number;
  /** Opening of the lids, 0 (shut) .. 1 (rest) .. 1.4 (wide). */
  lid: number;
  /** Lower lids and cheeks raised. */
  squint: number;
  /** Nose wrinkled and upper lip raised: disgust. */
  wrinkle: number;
  /** Lips pressed together. */
  press: number;
  /** Radians; positive turns to the picture's right. */
  yaw: number;
  /** Radians; positive looks down. */
  pitch: number;
  /** Radians; positive tilts clockwise. */
  roll: number;
  /** Direction of the eyes, -1..1: right and down are positive. */
  gazeX: number;
  gazeY: number;
}

const rest: Expression = {
  smile: 0.1,
  open: 0,
  wide: 0,
  brow: 0,
  innerBrow: 0,
  frown: 0,
  lid: 1,
  squint: 0,
  wrinkle: 0,
  press: 0,
  yaw: 0,
  pitch: 0,
  roll: 0,
  gazeX: 0,
  gazeY: 0,
};

const expressions: Readonly<Record<DemoFeeling, Expression>> = {
  neutral: rest,
  happy: { ...rest, smile: 1, open: 0.3, wide: 0.35, brow: 0.2, squint: 0.75, lid: 0.95, roll: 0.04 },
  surprise: { ...rest, smile: 0, open: 0.75, wide: -0.55, brow: 1, lid: 1.38, pitch: -0.05 },
  sad: { ...rest, smile: -0.8, innerBrow: 1, lid: 0.72, pitch: 0.12, roll: -0.07, gazeY: 0.45 },
  angry: { ...rest, smile: -0.45, frown: 1, lid: 0.85, squint: 0.35, press: 0.8, wide: 0.1, pitch: 0.06 },
  fear: { ...rest, smile: -0.3, open: 0.3, wide: 0.5, brow: 0.7, innerBrow: 0.8, lid: 1.4, pitch: -0.04 },
  disgust: { ...rest, smile: -0.6, frown: 0.45, lid: 0.72, squint: 0.8, wrinkle: 1, open: 0.08, yaw: 0.1 },
};

/** How a feeling sounds. */
export interface Manner {
  /** Syllables a second. */
  readonly rate: number;
  /** Middle of the pitch, Hz. */
  readonly pitchHz: number;
  /** Span of the melody, semitones. */
  readonly melody: number;
  /** Semitones that pitch rises (or falls) through a phrase. */
  readonly drift: number;
  /** Peak of the sound, 0..1. */
  readonly level: number;
  /** Tremble of the pitch, semitones. */
  readonly tremor: number;
  /** Breath in the voice, 0..1. */
  readonly breath: number;
  /** Brightness of the glottal pulse, 0 (soft) .. 1 (pressed). */
  readonly tension: number;
}

export const manners: Readonly<Record<DemoFeeling, Manner>> = {
  neutral: {
    rate: 3.6,
    pitchHz: 165,
    melody: 2,
    drift: -2,
    level: 0.45,
    tremor: 0,
    breath: 0.08,
    tension: 0.4,
  },
  happy: {
    rate: 4.4,
    pitchHz: 230,
    melody: 6,
    drift: 1,
    level: 0.62,
    tremor: 0.1,
    breath: 0.06,
    tension: 0.55,
  },
  surprise: {
    rate: 3.2,
    pitchHz: 250,
    melody: 5,
    drift: 7,
    level: 0.6,
    tremor: 0,
    breath: 0.15,
    tension: 0.5,
  },
  sad: {
    rate: 2.3,
    pitchHz: 145,
    melody: 1.2,
    drift: -3,
    level: 0.26,
    tremor: 0.25,
    breath: 0.22,
    tension: 0.15,
  },
  angry: { rate: 4.6, pitchHz: 205, melody: 4, drift: -4, level: 0.9, tremor: 0.1, breath: 0.05, tension: 1 },
  fear: { rate: 5, pitchHz: 265, melody: 3, drift: 2, level: 0.42, tremor: 0.8, breath: 0.25, tension: 0.45 },
  disgust: {
    rate: 2.7,
    pitchHz: 130,
    melody: 3,
    drift: -5,
    level: 0.5,
    tremor: 0.3,
    breath: 0.12,
    tension: 0.75,
  },
};

/** First three formants in Hz (adult averages after Peterson and Barney, 1952), and the mouth that makes them. */
const vowels = [
  { formants: [820, 1300, 2620], open: 1, wide: 0 },
  { formants: [560, 1850, 2600], open: 0.65, wide: 0.3 },
  { formants: [310, 2300, 3000], open: 0.38, wide: 0.6 },
  { formants: [520, 950, 2550], open: 0.7, wide: -0.6 },
  { formants: [340, 950, 2400], open: 0.35, wide: -0.8 },
  { formants: [520, 1500, 2550], open: 0.5, wide: 0 },
] as const;
export type Vowel = (typeof vowels)[number];

export interface Syllable {
  /** Milliseconds from the phase's start. */
  readonly startMs: number;
  readonly endMs: number;
  readonly vowel: Vowel;
  /** Semitones above the manner's pitch at the middle. */
  readonly pitch: number;
  readonly stress: number;
  /** A hiss before the vowel ('s', 'f'), or none. */
  readonly hiss: boolean;
}

function makeSyllables(index: number): readonly Syllable[] {
  const manner = manners[feelingOf(index)];
  const draw = random(977 + index);
  const syllables: Syllable[] = [];
  for (const phraseStartMs of [300, 300 + phraseMs]) {
    const phraseEndMs = phraseStartMs + phraseMs - 550;
    const lengthMs = 1000 / manner.rate;
    const count = Math.floor((phraseEndMs - phraseStartMs) / lengthMs);
    for (let i = 0; i < count; i++) {
      const through = count > 1 ? i / (count - 1) : 0;
      const startMs = phraseStartMs + i * lengthMs + (draw.uniform() - 0.5) * 0.15 * lengthMs;
      const stress = i === 0 || draw.uniform() > 0.55 ? 1 : 0.65;
      syllables.push({
        startMs,
        endMs: startMs + lengthMs * (i === count - 1 ? 1 : 0.9),
        vowel: vowels[draw.integer(vowels.length)] ?? vowels[0],
        pitch:
          manner.drift * (through - 0.5) + manner.melody * (draw.uniform() - 0.5) + (stress > 0.9 ? 1 : 0),
        stress,
        hiss: draw.uniform() < 0.35,
      });
    }
  }
  return syllables;
}

const modulo = (value: number, limit: number): number => ((value % limit) + limit) % limit;

/** The feeling of the phase with this number (any integer). */
export function feelingOf(phase: number): DemoFeeling {
  return demoFeelings[modulo(phase, demoFeelings.length)] ?? 'neutral';
}

const syllableTable = demoFeelings.map((_feeling, index) => makeSyllables(index));

/** What is said in the phase with this number, in order of time. */
export function syllablesOf(phase: number): readonly Syllable[] {
  return syllableTable[modulo(phase, demoFeelings.length)] ?? [];
}

/** Loudness of a syllable at a time in its phase, 0..1: quick to rise, slow to fall. */
export function envelope(syllable: Syllable, inPhaseMs: number): number {
  const lengthMs = syllable.endMs - syllable.startMs;
  const t = (inPhaseMs - syllable.startMs) / lengthMs;
  if (t <= 0 || t >= 1) return 0;
  const rise = Math.min(1, t / 0.3);
  const fall = Math.min(1, (1 - t) / 0.45);
  return syllable.stress * smooth(rise) * smooth(fall);
}

/** 3t^2 - 2t^3. */
const smooth = (t: number): number => t * t * (3 - 2 * t);

const mix = (a: Expression, b: Expression, t: number): Expression => {
  const result = { ...a };
  for (const key of Object.keys(a) as (keyof Expression)[]) result[key] = a[key] + (b[key] - a[key]) * t;
  return result;
};

/** 1 while open; a blink takes a sixth of a second, about every three seconds. */
function blink(timeMs: number): number {
  const slotMs = 2900;
  const slot = Math.floor(timeMs / slotMs);
  const startMs = slot * slotMs + 600 + random(slot + 31).uniform() * 1800;
  const t = (timeMs - startMs) / 170;
  return t <= 0 || t >= 1 ? 1 : 1 - Math.sin(Math.PI * t) ** 0.7;
}

/** The face at a time since the demo's start, milliseconds. */
export function expressionAt(timeMs: number): Expression {
  const phase = Math.floor(timeMs / phaseMs);
  const inPhaseMs = timeMs - phase * phaseMs;
  const before = timeMs < phaseMs ? rest : expressions[feelingOf(phase - 1)];
  const face = mix(before, expressions[feelingOf(phase)], smooth(Math.min(1, inPhaseMs / transitionMs)));

  for (const syllable of syllablesOf(phase)) {
    // A jaw is slower than a voice: the mean over a tenth of a second.
    let amount = 0;
    for (const aheadMs of [-45, -15, 15, 45]) amount += 0.25 * envelope(syllable, inPhaseMs + aheadMs);
    if (amount === 0) continue;
    const loud = 0.45 + 0.4 * manners[feelingOf(phase)].level;
    face.open += amount * syllable.vowel.open * loud * (1 - 0.5 * face.open);
    face.wide += amount * syllable.vowel.wide * 0.6;
    face.press *= 1 - amount;
    face.pitch += 0.02 * amount * syllable.stress;
  }
  const seconds = timeMs / 1000;
  const tremble = feelingOf(phase) === 'fear' ? 0.006 * Math.sin(seconds * 47) : 0;
  face.yaw += 0.13 * Math.sin(seconds * 0.61) + 0.05 * Math.sin(seconds * 1.37 + 1);
  face.pitch += 0.03 * Math.sin(seconds * 0.83 + 2);
  face.roll += 0.035 * Math.sin(seconds * 0.47 + 0.5) + tremble;
  face.gazeX += 0.25 * Math.sin(seconds * 0.9) ** 3 - 1.2 * face.yaw;
  face.lid *= blink(timeMs);
  return face;
}
