// <emotion-recognizer>: the whole readout in one tag. Requests go to the pipeline, its snapshots come back down.
import { html, LitElement, nothing } from 'lit';
import type { PropertyValues } from 'lit';
import { analyzeFile } from '../live/analyze.ts';
import type { Analysis, AnalyzeFileOptions } from '../live/analyze.ts';
import { createPipeline } from '../live/pipeline.ts';
import { fetchModelList } from '../live/model-list.ts';
import type { ListedModel } from '../live/model-list.ts';
import type { Pipeline, PipelineOptions } from '../live/pipeline.ts';
import type { LiveState, Reading } from '../live/state.ts';
import type { SourceKind } from '../capture/source.ts';
import type { SourceRequest } from '../live/parts.ts';
import { recognizerStyles } from './emotion-recognizer-styles.ts';
import { theme } from './theme.ts';
import { noticeWords, problemWords, stepWords } from './words.ts';
import './emotion-bars.ts';
import './emotion-picture.ts';
import './emotion-timeline.ts';
import './level-meter.ts';
import './message-panel.ts';
import './source-chooser.ts';
import './status-line.ts';

/** Bars shown before a model says its own labels: those of the shipped models. */
const shippedLabels = ['angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise'];

export type AnalyzeOptions = Pick<AnalyzeFileOptions, 'hopMs' | 'onReading' | 'signal'>;

/** An attribute with few values: what is none of them is said aloud and read as the first. */
function oneOf<T extends string>(name: string, values: readonly [T, ...T[]]) {
  return {
    fromAttribute(value: string | null): T {
      const known = values.find((candidate) => candidate === value);
      if (known === undefined && value !== null) {
        console.warn(`${name}="${value}" is not known; wanted ${values.join(', ')}. Taken as ${values[0]}.`);
      }
      return known ?? values[0];
    },
  };
}

/** Absolute, ending in a slash. */
function folderUrl(url: string): string {
  return new URL(url.endsWith('/') ? url : `${url}/`, document.baseURI).href;
}

/**
 * Reads displayed emotion from a face and a voice, in the page.
 *
 * @fires reading - CustomEvent<Reading>: each new, smoothed reading
 * @fires statechange - CustomEvent<LiveState>: each snapshot of what happened
 * @csspart panel - each of the panels; @csspart button - Start and Stop;
 * @csspart card-button - About this model; @csspart note - the small print
 * @cssprop --emotion-accent, --emotion-surface, --emotion-sunken, --emotion-text, --emotion-muted, --emotion-line,
 *   --emotion-danger, --emotion-radius, --emotion-color-LABEL - colors and roundness; the scheme follows `color-scheme`
 */
export class EmotionRecognizer extends LitElement {
  static override properties = {
    source: { converter: oneOf<SourceKind>('source', ['demo', 'camera', 'file']), reflect: true },
    model: { type: String },
    models: { type: String },
    backend: {
      converter: oneOf<PipelineOptions['backend']>('backend', ['auto', 'webgpu', 'wasm', 'cpu']),
    },
    vendor: { type: String },
    autostart: { type: Boolean },
    phase: { type: String, reflect: true },
    file: { attribute: false },
    state: { state: true },
    offered: { state: true },
    choice: { state: true },
  };
  declare source: SourceKind;
  /** URL of the model's folder, relative to the page; or `auto`: the largest of `models` that runs well here. */
  declare model: string;
  /** URL of the folder that holds `models.json` and the models to choose from, relative to the page. */
  declare models: string;
  declare backend: PipelineOptions['backend'];
  /** URL of the folder that holds `mediapipe/`, relative to the page. */
  declare vendor: string;
  /** Starts as soon as the element is in the page. */
  declare autostart: boolean;
  /** The pipeline's phase, for styles and tests; setting it does nothing. */
  declare phase: LiveState['phase'];
  /** What the source `file` plays. */
  declare file: Blob | null;
  declare state: LiveState;
  /** With `auto`: what there is to choose from, as soon as it is known. */
  declare offered: readonly ListedModel[];
  /** With `auto`: the person's choice, `auto` or a model's name. */
  declare choice: string;

  #pipeline: Pipeline | null = null;

  static override styles = [theme, recognizerStyles];

  constructor() {
    super();
    this.source = 'demo';
    this.model = 'auto';
    this.models = './models/';
    this.backend = 'auto';
    this.vendor = './vendor/';
    this.autostart = false;
    this.phase = 'idle';
    this.file = null;
    this.state = { phase: 'idle', source: 'demo' };
    this.offered = [];
    this.choice = 'auto';
  }

  /** Opens the chosen source and begins to read. Settles when readings can come or a failure is shown; never rejects. */
  async start(): Promise<void> {
    const request = this.#request();
    if (request === null) return;
    this.stop();
    const pipeline = createPipeline(this.#options());
    this.#pipeline = pipeline;
    let latest: Reading | null = null;
    pipeline.subscribe((state) => {
      this.#show(state);
      if (state.phase !== 'running' || state.reading === null || state.reading === latest) return;
      latest = state.reading;
      this.#tell('reading', latest);
    });
    await pipeline.start(request);
  }

  /** Closes camera, microphone, workers and file. */
  stop(): void {
    this.#pipeline?.stop();
    this.#pipeline = null;
    if (this.state.phase !== 'idle') this.#show({ phase: 'idle', source: this.source });
  }

  /**
   * Reads a whole media file, faster or slower than it plays, with the same result every time. Independent of start and stop.
   * @returns every reading, unsmoothed
   * @throws Problem, or the signal's reason
   */
  analyze(file: Blob, options: AnalyzeOptions = {}): Promise<Analysis> {
    return analyzeFile(file, { ...this.#options(), ...options });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop();
  }

  protected override firstUpdated(): void {
    if (this.autostart && this.isConnected) void this.start();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (this.phase !== this.state.phase) this.phase = this.state.phase;
    if (changed.has('model') || changed.has('models')) {
      this.offered = [];
      this.choice = 'auto';
      if (this.model === 'auto') void this.#list();
    }
  }

  /** What there is to choose from. That the list does not come is said when something is started. */
  async #list(): Promise<void> {
    const { models } = this;
    const offered = await fetchModelList(this.#listUrl()).catch(() => []);
    if (offered.length > 1) await import('./model-chooser.ts');
    if (this.model === 'auto' && this.models === models) this.offered = offered;
  }

  #listUrl(): string {
    return `${folderUrl(this.models)}models.json`;
  }

  #chooseModel(choice: string): void {
    this.choice = choice;
    this.#pipeline?.chooseModel(choice);
  }

  /** Folder of the model that runs, or would be started; null while that is not known. */
  #modelFolder(): string | null {
    if (this.state.phase === 'running') return this.state.modelUrl;
    if (this.model !== 'auto') return folderUrl(this.model);
    const chosen = this.offered.find(({ name }) => name === this.choice) ?? this.offered[0];
    return chosen?.url ?? null;
  }

  async #showCard(folder: string): Promise<void> {
    await import('./model-card.ts');
    await this.renderRoot.querySelector('model-card')?.show(folder);
  }

  #options(): PipelineOptions {
    return {
      model:
        this.model === 'auto' ? { listUrl: this.#listUrl(), choice: this.choice } : folderUrl(this.model),
      assetsUrl: `${folderUrl(this.vendor)}mediapipe/`,
      backend: this.backend,
    };
  }

  #request(): SourceRequest | null {
    if (this.source !== 'file') return { kind: this.source };
    return this.file === null ? null : { kind: 'file', file: this.file };
  }

  #show(state: LiveState): void {
    this.state = state;
    this.#tell('statechange', state);
  }

  #tell(type: 'reading' | 'statechange', detail: Reading | LiveState): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  #choose(kind: SourceKind): void {
    const wasOn = this.phase === 'running' || this.phase === 'starting';
    this.stop();
    this.source = kind;
    if (wasOn && kind !== 'file') void this.start();
  }

  #chooseFile(event: Event): void {
    const input = event.target as HTMLInputElement;
    this.file = input.files?.[0] ?? null;
    if (this.file !== null) void this.start();
  }

  override render() {
    const { state } = this;
    const running = state.phase === 'running' ? state : null;
    const on = state.phase === 'running' || state.phase === 'starting';
    const labels = running?.model.labels ?? shippedLabels;
    const folder = this.#modelFolder();
    return html`
      <div class="layout">
        <section class="panel stage" part="panel" aria-label="Picture and sound">
          <div class="controls">
            <source-chooser
              .value=${this.source}
              @choose=${(event: CustomEvent<SourceKind>) => {
                this.#choose(event.detail);
              }}
            ></source-chooser>
            <button
              class=${on ? 'stop' : 'go'}
              part="button"
              ?disabled=${!on && this.#request() === null}
              @click=${() => {
                if (on) this.stop();
                else void this.start();
              }}
            >
              ${on ? 'Stop' : 'Start'}
            </button>
          </div>
          ${
            this.offered.length > 1
              ? html`<model-chooser
                  .models=${this.offered}
                  .value=${this.choice}
                  @choose=${(event: CustomEvent<string>) => {
                    this.#chooseModel(event.detail);
                  }}
                ></model-chooser>`
              : nothing
          }
          <emotion-picture
            .view=${state.phase === 'running' || state.phase === 'starting' ? state.view : null}
            .faceBox=${running?.faceBox ?? null}
            ?mirrored=${(on ? state.source : this.source) === 'camera'}
          >
            ${this.#over(state)}
          </emotion-picture>
          <level-meter .levelDb=${running?.levelDb ?? null}></level-meter>
          ${
            running?.soundProblem
              ? html`<p class="sound-problem" role="status">${running.soundProblem.message}</p>`
              : nothing
          }
        </section>
        <section class="panel readout" part="panel" aria-label="Emotion readout">
          <emotion-bars
            .labels=${labels}
            .reading=${running?.reading ?? null}
            .waiting=${state.phase === 'idle' && this.#request() === null ? 'Choose a file to read' : waitingWords(state)}
          ></emotion-bars>
        </section>
        <section class="panel minute" part="panel" aria-label="Last minute">
          <emotion-timeline
            .labels=${labels}
            .history=${running?.history ?? []}
            .mayBeUncertain=${(running?.model.uncertainBelow ?? 0) > 0}
          ></emotion-timeline>
        </section>
        <section class="panel facts" part="panel" aria-label="How it is computed">
          <status-line .state=${state}></status-line>
          ${
            folder === null
              ? nothing
              : html`<button
                    class="about"
                    part="card-button"
                    aria-haspopup="dialog"
                    @click=${() => void this.#showCard(folder)}
                  >
                    About this model
                  </button>
                  <model-card></model-card>`
          }
        </section>
      </div>
      <p class="note" part="note">
        <strong>Nothing leaves this page: picture and sound are read here and forgotten.</strong>
        What you see is a model’s guess at the emotion that a face and a voice display. It can be wrong, and
        it does not know what a person feels.
      </p>
    `;
  }

  /** What lies over the picture: an invitation, the progress of a start, a failure, or notices. */
  #over(state: LiveState) {
    if (state.phase === 'idle') return this.#invitation();
    if (state.phase === 'starting') {
      return html`<message-panel
        busy
        class=${state.view === null ? '' : 'see-through'}
        .heading=${stepWords(state.step)}
        .text=${state.step === 'devices' && state.source === 'camera' ? 'Your browser may ask you to allow camera and microphone.' : ''}
        .fraction=${state.fraction}
      ></message-panel>`;
    }
    if (state.phase === 'failed') {
      const { title, advice } = problemWords(state.problem.kind);
      return html`<message-panel
        tone="failure"
        .heading=${title}
        .text=${advice}
        .detail=${state.problem.message}
      ></message-panel>`;
    }
    const notices = state.notices.map((notice) => html`<li>${noticeWords(notice)}</li>`);
    if (state.ended) notices.push(html`<li>The file has ended.</li>`);
    return html`<div role="status">
      <ul class="notices">
        ${notices}
      </ul>
    </div>`;
  }

  #invitation() {
    if (this.source === 'file') {
      const name = this.file instanceof File ? this.file.name : '';
      return html`<message-panel
        heading="Read a video file"
        text="Any video that your browser can play. It is not uploaded."
      >
        <label class="file">
          <input type="file" accept="video/*,audio/*" aria-label="Video file" @change=${this.#chooseFile} />
          <span>Choose a file…</span>
        </label>
        ${name === '' ? nothing : html`<span class="file-name">${name}</span>`}
      </message-panel>`;
    }
    return this.source === 'camera'
      ? html`<message-panel
          heading="Read your own face and voice"
          text="Press Start and allow camera and microphone. Stop switches both off."
        ></message-panel>`
      : html`<message-panel
          heading="See it at work"
          text="The demo reads a drawn, talking face. It needs no camera and no microphone."
        ></message-panel>`;
  }
}

/** What stands in place of the top emotion. */
function waitingWords(state: LiveState): string {
  if (state.phase === 'starting') return 'Getting ready…';
  if (state.phase === 'failed') return 'Not reading';
  if (state.phase === 'idle') return 'Press Start to read';
  return state.notices.includes('filling') ? 'First reading in a moment…' : 'Waiting for a face or a voice';
}

customElements.define('emotion-recognizer', EmotionRecognizer);

declare global {
  interface HTMLElementTagNameMap {
    'emotion-recognizer': EmotionRecognizer;
  }
}
