// How the readout came about: what counted, what computed it and why, how fast.
import { css, html, LitElement, nothing } from 'lit';
import type { LiveState } from '../live/state.ts';
import { labelName, theme } from './theme.ts';
import { backendNames, modelWords } from './words.ts';

/** @csspart fact - one fact */
export class StatusLine extends LitElement {
  static override properties = {
    state: { attribute: false },
  };
  declare state: LiveState | null;

  static override styles = [
    theme,
    css`
      :host {
        container-type: inline-size;
      }
      dl {
        display: grid;
        grid-template-columns: repeat(2, 1fr);
        gap: 0.6rem 1rem;
        margin: 0;
        font-size: 0.8125rem;
      }
      @container (min-width: 28rem) {
        dl {
          grid-template-columns: repeat(6, auto);
          justify-content: space-between;
        }
      }
      dt {
        color: var(--_muted);
      }
      dd {
        margin: 0;
        font-weight: 600;
        white-space: nowrap;
        font-variant-numeric: tabular-nums;
      }
      .choice {
        margin: 0.5rem 0 0;
        font-size: 0.8125rem;
        overflow-wrap: anywhere;
      }
      .reason {
        min-height: 2.2rem;
        margin: 0.5rem 0 0;
        font-size: 0.75rem;
        color: var(--_muted);
        overflow-wrap: anywhere;
      }
    `,
  ];

  constructor() {
    super();
    this.state = null;
  }

  override render() {
    const running = this.state?.phase === 'running' ? this.state : null;
    const reading = running?.reading ?? null;
    const facts: readonly (readonly [string, string])[] = [
      ['Reads as', reading === null ? '–' : labelName(reading.label)],
      ['Read from', reading === null ? '–' : modalityWords(reading.modalities)],
      ['Model', running === null ? '–' : running.model.name],
      ['Computed by', running === null ? '–' : backendNames[running.backend.name]],
      ['Takes', reading === null ? '–' : `${String(Math.round(reading.inferenceMs))} ms`],
      ['Repeats every', running === null ? '–' : `${(running.hopMs / 1000).toFixed(2)} s`],
    ];
    return html`
      <dl>
        ${facts.map(
          ([name, value]) =>
            html`<div part="fact">
              <dt>${name}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>
      <p class="choice" role="status">
        ${running?.modelStatus ? `${running.model.name}: ${modelWords(running.modelStatus)}` : nothing}
      </p>
      <p class="reason">
        ${running === null || running.backend.reason === '' ? nothing : running.backend.reason}
      </p>
    `;
  }
}

/** `Face and voice`, `Face` or `Voice`. */
export function modalityWords(modalities: { readonly face: boolean; readonly voice: boolean }): string {
  if (modalities.face && modalities.voice) return 'Face and voice';
  return modalities.face ? 'Face only' : modalities.voice ? 'Voice only' : '–';
}

customElements.define('status-line', StatusLine);

declare global {
  interface HTMLElementTagNameMap {
    'status-line': StatusLine;
  }
}
