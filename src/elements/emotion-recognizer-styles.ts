// Layout of <emotion-recognizer>: one column on a phone, picture beside readout where the element itself is wide enough.
import { css } from 'lit';

export const recognizerStyles = css`
  :host {
    container-type: inline-size;
    font-family: var(--emotion-font, inherit);
  }
  .layout {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 1rem;
  }
  .panel {
    min-width: 0;
    padding: 1rem;
    border: 1px solid var(--_line);
    border-radius: calc(var(--_radius) + 4px);
    background: var(--_surface);
  }
  .stage {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    align-content: start;
    gap: 0.9rem;
  }
  .controls {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem;
  }
  source-chooser {
    flex: 5 1 14rem;
  }
  button,
  .file span {
    flex: 1 0 7rem;
    min-width: 7rem;
    min-height: 2.75rem;
    padding: 0.5rem 1.25rem;
    border: 1px solid transparent;
    border-radius: 0.7rem;
    background: var(--_accent);
    color: var(--_on-accent);
    font: inherit;
    font-weight: 600;
    text-align: center;
    cursor: pointer;
  }
  button:hover:not(:disabled),
  .file:hover span {
    filter: brightness(1.08);
  }
  button.stop {
    background: transparent;
    border-color: color-mix(in srgb, var(--_text) 28%, transparent);
    color: var(--_text);
  }
  button.about {
    flex: none;
    min-width: 0;
    min-height: 2rem;
    margin-top: 0.5rem;
    padding: 0.2rem 0;
    border: 0;
    background: none;
    color: var(--_accent);
    font-size: 0.875rem;
    font-weight: 550;
    text-decoration: underline;
    text-underline-offset: 0.2em;
  }
  button:disabled {
    background: var(--_line);
    color: var(--_muted);
    cursor: not-allowed;
  }
  .file {
    position: relative;
    margin-top: 0.4rem;
  }
  .file input {
    position: absolute;
    inset: 0;
    width: 100%;
    opacity: 0;
    cursor: pointer;
  }
  .file span {
    display: block;
    line-height: 1.75rem;
  }
  .file input:focus-visible + span {
    outline: 3px solid var(--_accent);
    outline-offset: 2px;
  }
  .file-name {
    max-width: 100%;
    font-size: 0.8125rem;
    color: var(--_muted);
    overflow-wrap: anywhere;
  }
  .sound-problem {
    margin: 0;
    font-size: 0.8125rem;
    color: var(--_warn);
    overflow-wrap: anywhere;
  }
  .see-through {
    --emotion-sunken: color-mix(in srgb, light-dark(#f1f2f5, #12141a) 70%, transparent);
  }
  .notices {
    position: absolute;
    inset: auto 0 0;
    display: flex;
    flex-wrap: wrap;
    justify-content: center;
    gap: 0.4rem;
    margin: 0;
    padding: 0.6rem;
    list-style: none;
  }
  .notices li {
    padding: 0.25rem 0.7rem;
    border-radius: 0.9rem;
    background: rgb(10 12 16 / 0.8);
    color: #fff;
    font-size: 0.75rem;
    text-align: center;
  }
  .note {
    margin: 1rem 0.25rem 0;
    max-width: 62rem;
    font-size: 0.8125rem;
    color: var(--_muted);
  }
  .note strong {
    color: var(--_text);
    font-weight: 600;
  }
  @container (min-width: 50rem) {
    .layout {
      grid-template:
        'stage readout' auto
        'stage minute' 1fr
        'facts minute' auto
        / minmax(0, 11fr) minmax(0, 10fr);
    }
    .panel {
      padding: 1.25rem;
    }
    .stage {
      grid-area: stage;
    }
    .readout {
      grid-area: readout;
    }
    .minute {
      grid-area: minute;
    }
    .facts {
      grid-area: facts;
    }
  }
`;
