// The readout in a real browser: what is shown, and what a screen reader is told.
import { afterEach, describe, expect, it } from 'vitest';
import type { Reading } from '../live/state.ts';
import './emotion-bars.ts';
import { unbroken } from './emotion-timeline.ts';

const labels = ['happy', 'sad', 'neutral'];

function reading(happy: number, timeMs = 0, label = 'happy'): Reading {
  const rest = (1 - happy) / 2;
  return {
    timeMs,
    probabilities: { happy, sad: rest, neutral: rest },
    label,
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

  it('says that no emotion is certain, in words for eyes and ears; the bars stay, hatched', async () => {
    const bars = document.createElement('emotion-bars');
    bars.labels = labels;
    bars.reading = reading(0.9);
    document.body.append(bars);
    await bars.updateComplete;
    const certain = bars.getBoundingClientRect().height;
    bars.reading = null;
    await bars.updateComplete;
    bars.reading = reading(0.42, 500, 'uncertain');
    await bars.updateComplete;
    const find = (selector: string): Element | null | undefined => bars.shadowRoot?.querySelector(selector);
    expect(find('.headline')?.textContent.trim()).toBe('Uncertain');
    expect(find('.hint')?.textContent).toBe('Nearest: Happy, 42 %');
    expect(find('[aria-live=polite]')?.textContent).toBe('Uncertain. Nearest: Happy, 42 %');
    expect(find('li.top')).toBe(null);
    expect(getComputedStyle(find('.bar')!, '::after').backgroundImage).toContain('gradient');
    expect(find('[role=meter]')?.getAttribute('aria-valuetext')).toBe('42 %');
    expect(bars.getBoundingClientRect().height).toBe(certain);
  });

  it('names the word of the reading, which may trail the longest bar', async () => {
    const bars = document.createElement('emotion-bars');
    bars.labels = labels;
    bars.reading = reading(0.2);
    document.body.append(bars);
    await bars.updateComplete;
    expect(bars.shadowRoot?.querySelector('.headline')?.textContent).toMatch(/Happy\s*20 %/);
    expect(bars.shadowRoot?.querySelector('li.top')?.textContent).toContain('Happy');
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

describe('<emotion-timeline>', () => {
  it('tells when nothing was certain, in a row of its own and in its summary', async () => {
    const timeline = document.createElement('emotion-timeline');
    timeline.labels = labels;
    timeline.history = [0, 500, 1000, 1500].map((timeMs) =>
      reading(0.4, timeMs, timeMs < 1500 ? 'uncertain' : 'happy'),
    );
    document.body.append(timeline);
    await timeline.updateComplete;
    const chart = timeline.shadowRoot?.querySelector('[role=img]');
    expect(chart?.getAttribute('aria-label')).toContain('uncertain 75 percent, happy 25 percent');
    expect(timeline.shadowRoot?.querySelector('.unsure')).toBe(null);
    timeline.mayBeUncertain = true;
    await timeline.updateComplete;
    const row = timeline.shadowRoot?.querySelector('.unsure');
    expect(row?.textContent).toContain('Uncertain');
    expect(row?.querySelectorAll('rect')).toHaveLength(1);
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
