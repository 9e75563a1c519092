// Which model reads: the machine's own choice or one by hand. Shown only where there is more than one.
import { css, html, LitElement } from 'lit';
import type { ListedModel } from '../live/model-list.ts';
import { theme } from './theme.ts';

/** @fires choose - CustomEvent<string>: `auto` or a model's name */
export class ModelChooser extends LitElement {
  static override properties = {
    models: { attribute: false },
    value: { type: String },
  };
  declare models: readonly ListedModel[];
  declare value: string;

  static override styles = [
    theme,
    css`
      div {
        display: flex;
        align-items: center;
        gap: 0.6rem;
        font-size: 0.875rem;
        color: var(--_muted);
      }
      select {
        flex: 1;
        min-width: 0;
        min-height: 2.5rem;
        padding: 0.35rem 0.6rem;
        border: 1px solid var(--_line);
        border-radius: 0.7rem;
        background: var(--_sunken);
        color: var(--_text);
        font: inherit;
        font-size: 0.9375rem;
      }
    `,
  ];

  constructor() {
    super();
    this.models = [];
    this.value = 'auto';
  }

  override render() {
    return html`<div>
      <label for="model">Model</label>
      <select
        id="model"
        .value=${this.value}
        @change=${(event: Event) => {
          this.value = (event.target as HTMLSelectElement).value;
          this.dispatchEvent(new CustomEvent<string>('choose', { detail: this.value }));
        }}
      >
        <option value="auto" ?selected=${this.value === 'auto'}>Automatic</option>
        ${this.models.map(
          ({ name, bytes }) =>
            html`<option value=${name} ?selected=${this.value === name}>
              ${name} (${megabytes(bytes)} MB)
            </option>`,
        )}
      </select>
    </div>`;
  }
}

/** Of a download: `6.0`, `25`. */
export function megabytes(bytes: number): string {
  const megabytes = bytes / 1e6;
  return megabytes < 10 ? megabytes.toFixed(1) : megabytes.toFixed(0);
}

customElements.define('model-chooser', ModelChooser);

declare global {
  interface HTMLElementTagNameMap {
    'model-chooser': ModelChooser;
  }
}
