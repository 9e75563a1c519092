// The model's card in a dialog: what the model is for, what it must not be used for, how well it does and where it fails.
// Loaded when somebody asks for it.
import { css, html, LitElement, nothing } from 'lit';
import { cardUrl, fetchCard, fetchFacts } from './card-content.ts';
import type { Fact } from './card-content.ts';
import { theme } from './theme.ts';

type Content =
  | { readonly is: 'coming' }
  | { readonly is: 'card'; readonly card: DocumentFragment }
  /** No card came with the model: what its manifest tells, if there is one. */
  | { readonly is: 'facts'; readonly facts: readonly Fact[] | null };

export class ModelCard extends LitElement {
  static override properties = {
    content: { state: true },
    folder: { state: true },
  };
  declare content: Content;
  declare folder: string;

  static override styles = [
    theme,
    css`
      dialog {
        width: min(56rem, 100% - 1.5rem);
        max-width: none;
        height: fit-content;
        max-height: calc(100dvh - 1.5rem);
        padding: 0;
        border: 1px solid var(--_line);
        border-radius: calc(var(--_radius) + 4px);
        background: var(--_surface);
        color: var(--_text);
        overflow: hidden;
      }
      dialog[open] {
        display: flex;
        flex-direction: column;
      }
      dialog::backdrop {
        background: rgb(0 0 0 / 0.55);
      }
      header {
        display: flex;
        flex: none;
        align-items: center;
        gap: 0.75rem;
        padding: 0.6rem 0.75rem 0.6rem 1.25rem;
        border-bottom: 1px solid var(--_line);
      }
      .title {
        flex: 1;
        margin: 0;
        font-size: 1rem;
        font-weight: 650;
      }
      button {
        min-height: 2.5rem;
        padding: 0.35rem 1rem;
        border: 1px solid color-mix(in srgb, var(--_text) 28%, transparent);
        border-radius: 0.7rem;
        background: transparent;
        color: var(--_text);
        font: inherit;
        font-weight: 600;
        cursor: pointer;
      }
      .body {
        min-height: 8rem;
        padding: 0.25rem 1.25rem 1.25rem;
        overflow-y: auto;
        overscroll-behavior: contain;
        overflow-wrap: break-word;
        font-size: 0.9375rem;
        line-height: 1.55;
      }
      .body:focus-visible {
        outline-offset: -3px;
      }
      h2 {
        margin: 1rem 0 0.5rem;
        font-size: 1.35rem;
      }
      h3 {
        margin: 1.5rem 0 0.4rem;
        font-size: 1.1rem;
      }
      h4,
      h5,
      h6 {
        margin: 1.1rem 0 0.3rem;
        font-size: 1rem;
      }
      p,
      ul,
      ol,
      .table,
      pre {
        margin: 0 0 0.8rem;
      }
      ul,
      ol {
        padding-left: 1.35rem;
      }
      a {
        color: var(--_accent);
      }
      img {
        max-width: 100%;
        height: auto;
      }
      .table,
      pre {
        max-width: 100%;
        overflow-x: auto;
      }
      table {
        border-collapse: collapse;
        font-size: 0.8125rem;
        font-variant-numeric: tabular-nums;
        overflow-wrap: normal;
      }
      th,
      td {
        min-width: 3.5rem;
        padding: 0.3rem 0.6rem;
        border: 1px solid var(--_line);
        text-align: left;
        vertical-align: top;
      }
      th:empty {
        padding: 0;
      }
      thead:not(:has(th:not(:empty))) {
        display: none;
      }
      code,
      pre {
        border-radius: 0.3rem;
        background: var(--_sunken);
        font-size: 0.8125rem;
      }
      code {
        padding: 0.1em 0.3em;
      }
      pre {
        padding: 0.75rem;
      }
      pre code {
        padding: 0;
      }
      dt {
        color: var(--_muted);
        font-size: 0.8125rem;
      }
      dd {
        margin: 0 0 0.6rem;
        overflow-wrap: anywhere;
      }
    `,
  ];

  constructor() {
    super();
    this.content = { is: 'coming' };
    this.folder = '';
  }

  /**
   * Opens the dialog and fills it. Escape, the button and a click beside it close it; the focus goes back to where it was.
   * @param folder absolute URL of the model's folder, ending in a slash
   */
  async show(folder: string): Promise<void> {
    const isNew = folder !== this.folder || this.content.is !== 'card';
    this.folder = folder;
    if (isNew) this.content = { is: 'coming' };
    await this.updateComplete;
    const dialog = this.renderRoot.querySelector('dialog');
    if (dialog?.open === false) dialog.showModal();
    if (!isNew) return;
    const card = await fetchCard(folder);
    const content: Content =
      card === null ? { is: 'facts', facts: await fetchFacts(folder) } : { is: 'card', card };
    // Meanwhile another model's may have been asked for.
    if (this.folder === folder) this.content = content;
  }

  override render() {
    return html`<dialog
      aria-labelledby="title"
      @click=${(event: MouseEvent) => {
        // The dialog's own parts cover it: what hits it is its backdrop.
        if (event.target === event.currentTarget) (event.currentTarget as HTMLDialogElement).close();
      }}
    >
      <header>
        <p class="title" id="title">About this model</p>
        ${
          this.content.is === 'card'
            ? html`<a href=${cardUrl(this.folder)} target="_blank" rel="noopener">As a page</a>`
            : nothing
        }
        <form method="dialog"><button autofocus>Close</button></form>
      </header>
      <div class="body" tabindex="0" role="region" aria-labelledby="title">${this.#body()}</div>
    </dialog>`;
  }

  #body() {
    const { content } = this;
    switch (content.is) {
      case 'coming':
        return html`<p>Loading…</p>`;
      case 'card':
        return content.card;
      case 'facts':
        return html`<p>
            No model card came with this model (${cardUrl(this.folder)} is not there).
            ${
              content.facts === null
                ? 'Nor could its manifest be read: ask whoever serves it what it was trained on and how well it does.'
                : 'This is what its manifest tells; ask its maker for the rest before you rely on it.'
            }
          </p>
          ${
            content.facts === null
              ? nothing
              : html`<dl>
                  ${content.facts.map(
                    ([name, value]) =>
                      html`<dt>${name}</dt>
                        <dd>${value}</dd>`,
                  )}
                </dl>`
          }`;
    }
  }
}

customElements.define('model-card', ModelCard);

declare global {
  interface HTMLElementTagNameMap {
    'model-card': ModelCard;
  }
}
