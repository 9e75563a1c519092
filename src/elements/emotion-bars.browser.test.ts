// The readout in a real browser: what is shown, and what a screen reader is told.
import { afterEach, describe, expect, it } from 'vitest';
import type { Reading } from '../live/state.ts';
import './emotion-bars.ts';
import { topLabel } from './emotion-bars.ts';
import { unbroken } from './emotion-timeline.ts';

const labels = ['happy', 'sad', 'neutral'];

function reading(happy: number, timeMs = 0): Reading {
  const rest = (1 - happy) / 2;
  return {
    timeMs,
    probabilities: { happy, sad: rest, neutral: rest },
    modalities: { face: true, voice: false },
    faceBox: null,
    inferenceMs: 3,
  };
}

afterEach(() => {
  document.body.replaceChildren();
});

describe('<emotion-bars>', () => {
  it('has a named meter for every label, and names the top one', async () => {
    const bars = document.createElement('emotion-bars');
    bars.labels = labels;
    bars.reading = reading(0.72);
    document.body.append(bars);
    await bars.updateComplete;
    const meters = [...(bars.shadowRoot?.querySelectorAll('[role=meter]') ?? [])];
    expect(meters.map((meter) => meter.getAttribute('aria-label'))).toEqual(['Happy', 'Sad', 'Neutral']);
    expect(meters.map((meter) => meter.getAttribute('aria-valuenow'))).toEqual(['72', '14', '14']);
    expect(bars.shadowRoot?.querySelector('.headline')?.textContent).toMatch(/Happy\s*72 %/);
  });

  it('keeps its height from nothing to a reading: the page does not jump', async () => {
    const bars = document.createElement('emotion-bars');
    bars.labels = labels;
    document.body.append(bars);
    await bars.updateComplete;
    const before = bars.getBoundingClientRect().height;
    bars.reading = reading(0.34);
    await bars.updateComplete;
    expect(bars.shadowRoot?.querySelector('.hint')?.textContent).toContain('Close call');
    expect(bars.getBoundingClientRect().height).toBe(before);
  });

  it('announces at most every few seconds', async () => {
    const bars = document.createElement('emotion-bars');
    bars.labels = labels;
    document.body.append(bars);
    bars.reading = reading(0.9);
    await bars.updateComplete;
    const live = bars.shadowRoot?.querySelector('[aria-live=polite]');
    expect(live?.textContent).toBe('Happy, 90 %');
    bars.reading = reading(0.1);
    await bars.updateComplete;
    expect(live?.textContent).toBe('Happy, 90 %');
  });
});

describe('topLabel', () => {
  it('is the most probable label', () => {
    expect(topLabel(reading(0.2), labels)).toBe('sad');
    expect(topLabel(null, labels)).toBe(null);
  });
});

describe('unbroken', () => {
  it('breaks the curve at gaps and where a modality was away', () => {
    const times = [0, 500, 1000, 9000, 9500];
    const history = times.map((timeMs) => reading(0.5, timeMs));
    expect(unbroken(history).map((run) => run.length)).toEqual([3, 2]);
    expect(unbroken(history, ({ timeMs }) => timeMs !== 500).map((run) => run.length)).toEqual([1, 1, 2]);
  });
});
