// The element in a real browser, as far as it goes without a model: the rest is e2e's.
import { afterEach, describe, expect, it } from 'vitest';
import { officialClipSpec } from '../clip/spec.ts';
import type { LiveState, RunningState } from '../live/state.ts';
import type { EmotionRecognizer } from './emotion-recognizer.ts';
import './emotion-recognizer.ts';
import { noticeWords, problemWords } from './words.ts';

async function put(attributes: Readonly<Record<string, string>> = {}): Promise<EmotionRecognizer> {
  const element = document.createElement('emotion-recognizer');
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.append(element);
  await element.updateComplete;
  return element;
}

function button(element: EmotionRecognizer): HTMLButtonElement {
  const found = element.shadowRoot?.querySelector('button');
  if (!found) throw new Error('no button');
  return found;
}

afterEach(() => {
  document.body.replaceChildren();
});

describe('<emotion-recognizer>', () => {
  it('begins idle with the demo, and reflects phase and source', async () => {
    const element = await put();
    expect(element.getAttribute('phase')).toBe('idle');
    expect(element.getAttribute('source')).toBe('demo');
    expect(button(element).textContent.trim()).toBe('Start');
    expect(element.shadowRoot?.textContent).toContain('Nothing leaves this page');
  });

  it('says in plain words that the model is missing, and can be started again', async () => {
    const element = await put({ model: './no-such-model/', backend: 'cpu' });
    const phases: string[] = [];
    element.addEventListener('statechange', (event) => {
      const { phase } = (event as CustomEvent<LiveState>).detail;
      if (phases.at(-1) !== phase) phases.push(phase);
    });
    await element.start();
    await element.updateComplete;
    expect(phases).toEqual(['starting', 'failed']);
    expect(element.getAttribute('phase')).toBe('failed');
    const panel = element.shadowRoot?.querySelector('message-panel');
    expect(panel?.shadowRoot?.querySelector('[role=alert]')?.textContent).toContain(
      problemWords('model-missing').title,
    );
    expect(button(element).textContent.trim()).toBe('Start');
  });

  it('takes an unknown source or backend as its default, and a known one as it is', async () => {
    const element = await put({ source: 'webcam', backend: 'gpu' });
    expect([element.source, element.backend]).toEqual(['demo', 'auto']);
    element.setAttribute('source', 'camera');
    element.setAttribute('backend', 'wasm');
    expect([element.source, element.backend]).toEqual(['camera', 'wasm']);
    element.removeAttribute('source');
    expect(element.source).toBe('demo');
  });

  it('says why there is no sound, and mirrors the source that runs', async () => {
    const element = await put();
    const running: RunningState = {
      phase: 'running',
      source: 'camera',
      view: document.createElement('canvas'),
      model: {
        name: 'nano',
        labels: ['happy'],
        clip: officialClipSpec,
        missingModalities: true,
        uncertainBelow: 0,
      },
      backend: { name: 'wasm', reason: '' },
      modelUrl: 'https://example.org/models/nano/',
      modelStatus: null,
      notices: ['no-microphone'],
      soundProblem: { kind: 'device-busy', message: 'Another program holds the microphone.' },
      faceBox: null,
      levelDb: null,
      reading: null,
      history: [],
      hopMs: 250,
      ended: false,
    };
    element.state = running;
    await element.updateComplete;
    expect(element.shadowRoot?.textContent).toContain('Another program holds the microphone.');
    expect(element.shadowRoot?.querySelector('emotion-picture')?.mirrored).toBe(true);
    element.state = { ...running, source: 'demo', notices: [], soundProblem: null };
    await element.updateComplete;
    expect(element.shadowRoot?.textContent).not.toContain('Another program');
    expect(element.shadowRoot?.querySelector('emotion-picture')?.mirrored).toBe(false);
  });

  it('cannot start a file before one is chosen', async () => {
    const element = await put({ source: 'file' });
    expect(button(element).disabled).toBe(true);
    element.file = new Blob(['x']);
    await element.updateComplete;
    expect(button(element).disabled).toBe(false);
  });

  it('stops at once when it leaves the page', async () => {
    const element = await put({ model: './no-such-model/' });
    const started = element.start();
    element.remove();
    await started;
    expect(element.state.phase).toBe('idle');
  });

  it('is as wide as it is told, down to a phone', async () => {
    const element = await put();
    element.style.width = '336px';
    await element.updateComplete;
    const widths = [...(element.shadowRoot?.querySelectorAll('*') ?? [])].map(
      (part) => part.getBoundingClientRect().right,
    );
    expect(Math.max(...widths)).toBeLessThanOrEqual(element.getBoundingClientRect().right + 0.5);
  });

  it('has words for everything that can go wrong', () => {
    for (const kind of [
      'permission-denied',
      'no-camera',
      'device-busy',
      'model-missing',
      'worker-failed',
    ] as const) {
      expect(problemWords(kind).advice.length).toBeGreaterThan(20);
    }
    expect(noticeWords('no-face')).toContain('face');
  });
});
