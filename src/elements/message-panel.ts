// A message over the picture: what happened, what to do, and the exact words of the error for whoever needs them.
import { css, html, LitElement, nothing } from 'lit';
import { theme } from './theme.ts';

/** @slot - controls below the text; @csspart title; @csspart text; @csspart detail */
export class MessagePanel extends LitElement {
  static override properties = {
    heading: { type: String },
    text: { type: String },
    detail: { type: String },
    fraction: { type: Number },
    tone: { type: String, reflect: true },
    busy: { type: Boolean },
  };
  declare heading: string;
  declare text: string;
  /** Small print; may be empty. */
  declare detail: string;
  /** 0..1 fills the bar of a busy panel; null when the length is unknown. */
  declare fraction: number | null;
  declare tone: 'plain' | 'failure';
  /** Shows a progress bar. */
  declare busy: boolean;

  static override styles = [
    theme,
    css`
      :host {
        height: 100%;
        overflow: auto;
        padding: clamp(0.6rem, 4%, 1.5rem);
        background: color-mix(in srgb, var(--_sunken) 94%, transparent);
      }
      .inside {
        display: flex;
        flex-direction: column;
        align-items: center;
        justify-content: center;
        gap: 0.45rem;
        min-height: 100%;
        text-align: center;
      }
      p {
        margin: 0;
        max-width: 34rem;
      }
      .heading {
        font-size: 1.125rem;
        font-weight: 650;
      }
      :host([tone='failure']) .heading {
        color: var(--_danger);
      }
      .text {
        color: var(--_muted);
        font-size: 0.875rem;
      }
      .detail {
        color: var(--_muted);
        font-size: 0.75rem;
        overflow-wrap: anywhere;
      }
      .bar {
        width: min(14rem, 80%);
        height: 0.4rem;
        margin-top: 0.35rem;
        border-radius: 1rem;
        background: var(--_line);
        overflow: hidden;
      }
      .fill {
        width: 100%;
        height: 100%;
        border-radius: inherit;
        background: var(--_accent);
        transform-origin: left;
        transition: transform 150ms linear;
      }
      .unknown {
        width: 35%;
        animation: pass 1.4s ease-in-out infinite alternate;
      }
      @keyframes pass {
        from {
          transform: translateX(0);
        }
        to {
          transform: translateX(186%);
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .unknown {
          animation: none;
          width: 100%;
          opacity: 0.5;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.heading = '';
    this.text = '';
    this.detail = '';
    this.fraction = null;
    this.tone = 'plain';
    this.busy = false;
  }

  override render() {
    return html`<div class="inside" role=${this.tone === 'failure' ? 'alert' : 'status'}>
      <p class="heading" part="title">${this.heading}</p>
      ${this.text === '' ? nothing : html`<p class="text" part="text">${this.text}</p>`}
      ${this.busy ? this.#bar() : nothing}
      <slot></slot>
      ${this.detail === '' ? nothing : html`<p class="detail" part="detail">${this.detail}</p>`}
    </div>`;
  }

  #bar() {
    if (this.fraction === null) {
      return html`<div class="bar" role="progressbar" aria-label=${this.heading}>
        <div class="fill unknown"></div>
      </div>`;
    }
    return html`<div
      class="bar"
      role="progressbar"
      aria-label=${this.heading}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${Math.round(this.fraction * 100)}
    >
      <div class="fill" style="transform: scaleX(${this.fraction.toFixed(3)})"></div>
    </div>`;
  }
}

customElements.define('message-panel', MessagePanel);

declare global {
  interface HTMLElementTagNameMap {
    'message-panel': MessagePanel;
  }
}
