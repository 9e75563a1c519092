// fft.js behind typed arrays: the power spectrum of a real frame.
import FFT from 'fft.js';

/** Reusable buffers and tables for one transform size. */
export interface RealFft {
  /** Power of two. */
  readonly size: number;
  /** Fill before `powerSpectrum`; length size. */
  readonly input: Float64Array;
  /** Squared magnitudes of the bins 0..size/2 - 1 (without the Nyquist bin); overwritten by each call. */
  powerSpectrum(): Float64Array;
}

/** A transform of `size` real numbers, in double precision. */
export function realFft(size: number): RealFft {
  const fft = new FFT(size);
  const input = new Float64Array(size);
  const spectrum = new Float64Array(2 * size);
  const power = new Float64Array(size / 2);
  return {
    size,
    input,
    powerSpectrum() {
      fft.realTransform(spectrum, input);
      for (let i = 0; i < power.length; i++) {
        const re = spectrum[2 * i]!;
        const im = spectrum[2 * i + 1]!;
        power[i] = re * re + im * im;
      }
      return power;
    },
  };
}
