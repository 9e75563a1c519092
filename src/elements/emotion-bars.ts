// The readout: the reading's word named large, and one bar per label in a fixed order so that nothing jumps.
import { css, html, LitElement, nothing } from 'lit';
import type { Reading } from '../live/state.ts';
import { mostProbable, uncertain } from '../live/verdict.ts';
import { labelColor, labelName, theme } from './theme.ts';
import { percent } from './words.ts';

/** A screen reader hears the word at most this often. */
const announceMs = 5000;

/** @csspart headline - the top emotion, or that none is certain; @csspart bar - a bar's track; @csspart fill - its filled part */
export class EmotionBars extends LitElement {
  static override properties = {
    labels: { attribute: false },
    reading: { attribute: false },
    waiting: { type: String },
    announcement: { state: true },
  };
  /** Bars, from top to bottom. */
  declare labels: readonly string[];
  declare reading: Reading | null;
  /** Said in place of the top emotion while there is no reading. */
  declare waiting: string;
  declare announcement: string;
  #announcedAt = -Infinity;

  static override styles = [
    theme,
    css`
      .headline {
        display: flex;
        align-items: baseline;
        justify-content: space-between;
        gap: 1rem;
        height: 3.4rem;
        margin: 0 0 0.25rem;
        font-size: 2.4rem;
        font-weight: 650;
        letter-spacing: -0.02em;
        line-height: 1.3;
        white-space: nowrap;
      }
      .headline .percent {
        font-size: 1.35rem;
        font-weight: 500;
        letter-spacing: 0;
        color: var(--_muted);
        font-variant-numeric: tabular-nums;
      }
      .headline.uncertain {
        font-weight: 500;
        font-style: italic;
      }
      .headline.waiting {
        font-size: 1.125rem;
        font-weight: 500;
        letter-spacing: 0;
        line-height: 3rem;
        color: var(--_muted);
      }
      .hint {
        height: 1.3rem;
        margin: 0 0 0.7rem;
        font-size: 0.875rem;
        color: var(--_muted);
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
        display: grid;
        gap: 0.55rem;
      }
      li {
        display: grid;
        grid-template-columns: 5rem 1fr 3.2rem;
        align-items: center;
        gap: 0.6rem;
        font-size: 0.9375rem;
      }
      .bar {
        position: relative;
        height: 0.85rem;
        border-radius: 0.3rem;
        background: var(--_line);
        overflow: hidden;
      }
      .fill {
        height: 100%;
        transform-origin: left;
        transition: transform 180ms linear;
      }
      /* No color alone: uncertain bars are hatched with their own ground, and the headline says it. */
      .uncertain .fill {
        opacity: 0.7;
      }
      .uncertain .bar::after {
        content: '';
        position: absolute;
        inset: 0;
        background: repeating-linear-gradient(115deg, transparent 0 4px, var(--_line) 4px 7px);
      }
      .number {
        text-align: right;
        color: var(--_muted);
        font-variant-numeric: tabular-nums;
      }
      .top {
        font-weight: 650;
      }
      .top .number {
        color: inherit;
      }
      @media (prefers-reduced-motion: reduce) {
        .fill {
          transition: none;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.labels = [];
    this.reading = null;
    this.waiting = 'Nothing read yet';
    this.announcement = '';
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has('reading')) return;
    if (this.reading === null) {
      this.announcement = '';
      this.#announcedAt = -Infinity;
      return;
    }
    const now = performance.now();
    if (now - this.#announcedAt < announceMs) return;
    this.#announcedAt = now;
    const { label } = this.reading;
    this.announcement =
      label === uncertain
        ? `Uncertain. ${nearest(this.reading)}`
        : `${labelName(label)}, ${percent(this.reading.probabilities[label] ?? 0)}`;
  }

  override render() {
    const { reading } = this;
    const isUncertain = reading?.label === uncertain;
    return html`
      ${this.#headline()}
      <p class="hint">${reading === null ? nothing : hintFor(reading)}</p>
      <ul role="list" aria-label="Emotions" class=${isUncertain ? 'uncertain' : ''}>
        ${this.labels.map((label, index) => this.#row(label, index, label === reading?.label))}
      </ul>
      <p class="visually-hidden" role="status" aria-live="polite">${this.announcement}</p>
    `;
  }

  #headline() {
    const { reading } = this;
    if (reading === null) return html`<p class="headline waiting" part="headline">${this.waiting}</p>`;
    if (reading.label === uncertain)
      return html`<p class="headline uncertain" part="headline"><span>Uncertain</span></p>`;
    return html`<p class="headline" part="headline">
      <span>${labelName(reading.label)}</span>
      <span class="percent">${percent(reading.probabilities[reading.label] ?? 0)}</span>
    </p>`;
  }

  #row(label: string, index: number, top: boolean) {
    const probability = this.reading?.probabilities[label] ?? 0;
    return html`<li class=${top ? 'top' : ''}>
      <span aria-hidden="true">${labelName(label)}</span>
      <div
        class="bar"
        part="bar"
        role="meter"
        aria-label=${labelName(label)}
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${Math.round(probability * 100)}
        aria-valuetext=${this.reading === null ? 'not read yet' : percent(probability)}
      >
        <div
          class="fill"
          part="fill"
          style="background: ${labelColor(label, index)}; transform: scaleX(${probability.toFixed(4)})"
        ></div>
      </div>
      <span class="number" aria-hidden="true">${this.reading === null ? '–' : percent(probability)}</span>
    </li>`;
  }
}

/** The most probable emotion of an uncertain reading. */
function nearest({ probabilities }: Reading): string {
  const best = mostProbable(probabilities);
  return `Nearest: ${labelName(best)}, ${percent(probabilities[best] ?? 0)}`;
}

/** The line below the word; empty when the word is enough. */
function hintFor(reading: Reading): string {
  if (reading.label === uncertain) return nearest(reading);
  // Below twice chance it is a toss-up, and the page says so.
  const count = Object.keys(reading.probabilities).length;
  const probability = reading.probabilities[reading.label] ?? 0;
  return probability * count < 2 ? 'Close call: no emotion stands out.' : '';
}

customElements.define('emotion-bars', EmotionBars);

declare global {
  interface HTMLElementTagNameMap {
    'emotion-bars': EmotionBars;
  }
}
