// How loud it is: shows that the microphone hears.
import { css, html, LitElement } from 'lit';
import { theme } from './theme.ts';

/** The meter's left end in dB re full scale; speech at a desk is around -45 to -20. */
const floorDb = -60;

/** @csspart track - the whole meter; @csspart fill - the lit part */
export class LevelMeter extends LitElement {
  static override properties = {
    levelDb: { type: Number, attribute: 'level-db' },
  };
  /** dB re full scale; null without sound. */
  declare levelDb: number | null;

  static override styles = [
    theme,
    css`
      :host {
        display: flex;
        align-items: center;
        gap: 0.6rem;
        font-size: 0.8125rem;
        color: var(--_muted);
      }
      svg {
        flex: none;
        width: 1.1rem;
        height: 1.1rem;
      }
      .track {
        flex: 1;
        height: 0.5rem;
        border-radius: 1rem;
        background: var(--_line);
        overflow: hidden;
      }
      .fill {
        height: 100%;
        background: var(--_accent);
        border-radius: inherit;
        transform-origin: left;
      }
      .value {
        flex: none;
        width: 4.2rem;
        text-align: right;
        font-variant-numeric: tabular-nums;
      }
    `,
  ];

  constructor() {
    super();
    this.levelDb = null;
  }

  override render() {
    const shown = this.levelDb === null ? floorDb : Math.min(0, Math.max(floorDb, this.levelDb));
    const words = this.levelDb === null ? 'no sound' : `${String(Math.round(this.levelDb))} dB`;
    return html`
      <svg
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        stroke-width="2"
        stroke-linecap="round"
        aria-hidden="true"
      >
        <rect x="9" y="3" width="6" height="11" rx="3"></rect>
        <path d="M5 11a7 7 0 0 0 14 0M12 18v3"></path>
      </svg>
      <div
        class="track"
        part="track"
        role="meter"
        aria-label="Sound level"
        aria-valuemin=${floorDb}
        aria-valuemax="0"
        aria-valuenow=${Math.round(shown)}
        aria-valuetext=${words}
      >
        <div class="fill" part="fill" style="transform: scaleX(${(1 - shown / floorDb).toFixed(3)})"></div>
      </div>
      <span class="value" aria-hidden="true">${this.levelDb === null ? '–' : words}</span>
    `;
  }
}

customElements.define('level-meter', LevelMeter);

declare global {
  interface HTMLElementTagNameMap {
    'level-meter': LevelMeter;
  }
}
