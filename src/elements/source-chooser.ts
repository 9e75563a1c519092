// Where picture and sound come from: a radio group, so that arrow keys and screen readers know what it is.
import { css, html, LitElement } from 'lit';
import type { SourceKind } from '../capture/source.ts';
import { theme } from './theme.ts';

const choices: readonly (readonly [SourceKind, string])[] = [
  ['camera', 'Camera'],
  ['file', 'File'],
  ['demo', 'Demo'],
];

/** @fires choose - CustomEvent<SourceKind> when the person chose another source */
export class SourceChooser extends LitElement {
  static override properties = {
    value: { type: String },
  };
  declare value: SourceKind;

  static override styles = [
    theme,
    css`
      fieldset {
        display: flex;
        margin: 0;
        padding: 0.2rem;
        border: 0;
        border-radius: 0.7rem;
        background: var(--_sunken);
      }
      label {
        position: relative;
        flex: 1;
        cursor: pointer;
      }
      input {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        margin: 0;
        opacity: 0;
        cursor: pointer;
      }
      span {
        display: block;
        padding: 0.45rem 1rem;
        border-radius: 0.55rem;
        color: var(--_muted);
        font-size: 0.9375rem;
        font-weight: 550;
        text-align: center;
      }
      input:checked + span {
        background: var(--_surface);
        color: var(--_text);
        box-shadow: 0 1px 3px rgb(0 0 0 / 0.18);
      }
      input:focus-visible + span {
        outline: 3px solid var(--_accent);
        outline-offset: 1px;
      }
      @media (forced-colors: active) {
        input:checked + span {
          outline: 2px solid Highlight;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.value = 'demo';
  }

  override render() {
    return html`<fieldset>
      <legend class="visually-hidden">Source of picture and sound</legend>
      ${choices.map(
        ([kind, name]) =>
          html`<label>
            <input
              type="radio"
              name="source"
              value=${kind}
              .checked=${this.value === kind}
              @change=${() => {
                this.value = kind;
                this.dispatchEvent(new CustomEvent<SourceKind>('choose', { detail: kind }));
              }}
            /><span>${name}</span>
          </label>`,
      )}
    </fieldset>`;
  }
}

customElements.define('source-chooser', SourceChooser);

declare global {
  interface HTMLElementTagNameMap {
    'source-chooser': SourceChooser;
  }
}
