// The source's picture with the box around the face that is read. Its slot is shown over the picture.
import { css, html, LitElement, nothing, svg } from 'lit';
import type { FaceBox } from '../clip/face.ts';
import { theme } from './theme.ts';

/** @slot - notices and messages, laid over the picture; @csspart picture - picture and box; @csspart face - the box */
export class EmotionPicture extends LitElement {
  static override properties = {
    view: { attribute: false },
    faceBox: { attribute: false },
    mirrored: { type: Boolean, reflect: true },
  };
  /** The source's own element: shown here, owned there. */
  declare view: HTMLVideoElement | HTMLCanvasElement | null;
  declare faceBox: FaceBox | null;
  /** Left and right as in a mirror, as people expect of their own camera. */
  declare mirrored: boolean;

  static override styles = [
    theme,
    css`
      :host {
        position: relative;
        aspect-ratio: 4 / 3;
        overflow: hidden;
        border-radius: var(--_radius);
        background: var(--_sunken);
      }
      .picture,
      .picture > *,
      .over {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
      }
      :host([mirrored]) .picture {
        transform: scaleX(-1);
      }
      .picture > :is(video, canvas) {
        object-fit: contain;
        background: #0b0d11;
      }
      rect {
        fill: none;
        vector-effect: non-scaling-stroke;
        transition:
          x 80ms linear,
          y 80ms linear,
          width 80ms linear,
          height 80ms linear;
      }
      .rim {
        stroke: #000;
        stroke-opacity: 0.45;
        stroke-width: 5;
      }
      .box {
        stroke: #fff;
        stroke-width: 2.5;
      }
      @media (prefers-reduced-motion: reduce) {
        rect {
          transition: none;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.view = null;
    this.faceBox = null;
    this.mirrored = false;
  }

  override render() {
    return html`
      <div class="picture" part="picture">
        ${this.view ?? nothing} ${this.view ? this.#overlay(this.view) : nothing}
      </div>
      <div class="over"><slot></slot></div>
    `;
  }

  /** Scaled as `object-fit: contain` scales the picture, so that box and face stay together at every size. */
  #overlay(view: HTMLVideoElement | HTMLCanvasElement) {
    const [width, height] =
      view instanceof HTMLVideoElement ? [view.videoWidth, view.videoHeight] : [view.width, view.height];
    const box = this.faceBox;
    if (box === null || width === 0 || height === 0) return nothing;
    const shape = (name: string) => svg`<rect
      class=${name}
      x=${box.x * width} y=${box.y * height} width=${box.width * width} height=${box.height * height}
      rx=${0.06 * box.width * width}
    />`;
    return html`<svg
      part="face"
      viewBox="0 0 ${width} ${height}"
      preserveAspectRatio="xMidYMid meet"
      role="img"
      aria-label="Box around the face"
    >
      ${shape('rim')}${shape('box')}
    </svg>`;
  }
}

customElements.define('emotion-picture', EmotionPicture);

declare global {
  interface HTMLElementTagNameMap {
    'emotion-picture': EmotionPicture;
  }
}
