// The last minute: one small curve per label, named beside it, so that the chart reads without its colors.
import { css, html, LitElement, nothing, svg } from 'lit';
import type { Reading } from '../live/state.ts';
import { uncertain } from '../live/verdict.ts';
import { labelColor, labelName, theme } from './theme.ts';

const spanMs = 60_000;

/** A gap this long between readings breaks the curve; the slowest hop stays below it. */
const gapMs = 4000;

/** Drawing units; the chart is stretched to its box. */
const width = 1000;
const height = 100;

interface Point {
  readonly x: number;
  readonly y: number;
}

/** @csspart chart - the rows */
export class EmotionTimeline extends LitElement {
  static override properties = {
    labels: { attribute: false },
    history: { attribute: false },
    mayBeUncertain: { attribute: false },
  };
  /** Rows, from top to bottom. */
  declare labels: readonly string[];
  /** Oldest first. */
  declare history: readonly Reading[];
  /** Whether the model may find no emotion certain: then there is a row for it. */
  declare mayBeUncertain: boolean;

  static override styles = [
    theme,
    css`
      h2 {
        margin: 0 0 0.5rem;
        font-size: 0.875rem;
        font-weight: 600;
      }
      .row {
        display: grid;
        grid-template-columns: 5rem 1fr;
        align-items: end;
        gap: 0.6rem;
        font-size: 0.8125rem;
        color: var(--_muted);
      }
      .row > span {
        line-height: 1.75rem;
      }
      svg {
        display: block;
        width: 100%;
        height: 1.75rem;
        border-bottom: 1px solid var(--_line);
      }
      .presence svg {
        height: 0.45rem;
        margin-bottom: 0.65rem;
        border: 0;
        border-radius: 0.2rem;
        background: var(--_sunken);
      }
      .presence rect {
        fill: var(--_muted);
      }
      .presence:first-of-type {
        margin-top: 0.25rem;
      }
      .line {
        fill: none;
        stroke-width: 1.75;
        vector-effect: non-scaling-stroke;
        stroke-linejoin: round;
      }
      .area {
        opacity: 0.28;
      }
      .axis {
        display: flex;
        justify-content: space-between;
        margin: 0.15rem 0 0 5.6rem;
        font-size: 0.75rem;
        color: var(--_muted);
      }
    `,
  ];

  constructor() {
    super();
    this.labels = [];
    this.history = [];
    this.mayBeUncertain = false;
  }

  override render() {
    const endMs = this.history.at(-1)?.timeMs ?? 0;
    const runs = unbroken(this.history);
    return html`
      <h2>Last minute</h2>
      <div part="chart" role="img" aria-label=${this.#summary()}>
        ${this.labels.map((label, index) => this.#curve(label, index, runs, endMs))}
        ${
          this.mayBeUncertain
            ? this.#presence('Uncertain', ({ label }) => label === uncertain, endMs, 'unsure')
            : nothing
        }
        ${(['face', 'voice'] as const).map((modality) =>
          this.#presence(labelName(modality), ({ modalities }) => modalities[modality], endMs),
        )}
        <div class="axis"><span>60 s ago</span><span>now</span></div>
      </div>
    `;
  }

  #summary(): string {
    if (this.history.length === 0) return 'Last minute: nothing read yet';
    const counts = new Map<string, number>();
    for (const reading of this.history) {
      counts.set(reading.label, (counts.get(reading.label) ?? 0) + 1);
    }
    const shares = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3);
    const parts = shares.map(
      ([label, n]) => `${label} ${String(Math.round((n / this.history.length) * 100))} percent`,
    );
    return `Last minute, share of time read: ${parts.join(', ')}`;
  }

  #curve(label: string, index: number, runs: readonly (readonly Reading[])[], endMs: number) {
    const color = labelColor(label, index);
    return html`<div class="row">
      <span>${labelName(label)}</span>
      <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">
        ${runs.map((run) => {
          const points = run.map((reading) =>
            place(reading.timeMs, reading.probabilities[label] ?? 0, endMs),
          );
          const line = points.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L');
          const first = points[0]?.x ?? width;
          const last = points.at(-1)?.x ?? width;
          return svg`
            <path class="area" style="fill: ${color}" d="M${first.toFixed(1)} ${height}L${line}L${last.toFixed(1)} ${height}Z" />
            <path class="line" style="stroke: ${color}" d="M${line}" />`;
        })}
      </svg>
    </div>`;
  }

  /** When something was the case. */
  #presence(name: string, holds: (reading: Reading) => boolean, endMs: number, kind = '') {
    const spans = unbroken(this.history, holds);
    return html`<div class="row presence ${kind}">
      <span>${name}</span>
      <svg viewBox="0 0 ${width} 10" preserveAspectRatio="none">
        ${spans.map((span) => {
          const from = place(span[0]?.timeMs ?? endMs, 0, endMs).x;
          const to = place(span.at(-1)?.timeMs ?? endMs, 0, endMs).x;
          return svg`<rect x=${from.toFixed(1)} y="0" width=${Math.max(3, to - from).toFixed(1)} height="10" />`;
        })}
      </svg>
    </div>`;
  }
}

function place(timeMs: number, probability: number, endMs: number): Point {
  const x = Math.max(0, width * (1 - (endMs - timeMs) / spanMs));
  return { x, y: height * (1 - 0.94 * probability) };
}

/** The wanted readings in stretches without gaps, so that a pause is not drawn as a slope. */
export function unbroken(
  history: readonly Reading[],
  wanted: (reading: Reading) => boolean = () => true,
): readonly (readonly Reading[])[] {
  const runs: Reading[][] = [];
  let previousMs = -Infinity;
  for (const reading of history) {
    if (!wanted(reading)) {
      previousMs = -Infinity;
      continue;
    }
    if (reading.timeMs - previousMs > gapMs) runs.push([]);
    runs.at(-1)?.push(reading);
    previousMs = reading.timeMs;
  }
  return runs;
}

customElements.define('emotion-timeline', EmotionTimeline);

declare global {
  interface HTMLElementTagNameMap {
    'emotion-timeline': EmotionTimeline;
  }
}
