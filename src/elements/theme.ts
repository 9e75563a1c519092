// One look for all elements: colors of both schemes, each replaceable from outside by a --emotion-* custom property.
import { css, unsafeCSS } from 'lit';

/**
 * Hues by label: Paul Tol's "bright" scheme, made to stay apart for color-blind eyes, shaded a little for each scheme's
 * ground. Names and numbers always stand beside them. [light scheme, dark scheme]
 */
const hues: Readonly<Record<string, readonly [string, string]>> = {
  angry: ['#dd4b5e', '#f2788a'],
  disgust: ['#228833', '#4fb361'],
  fear: ['#99306b', '#d069a8'],
  happy: ['#b59a12', '#dccb52'],
  neutral: ['#878d96', '#aeb4bd'],
  sad: ['#3a6ca6', '#6c9fdb'],
  surprise: ['#2f9fc7', '#72d3f3'],
};

/** For labels of other models, by index. */
const others = Object.values(hues);

/** CSS color of a label; `--emotion-color-LABEL` replaces it. */
export function labelColor(label: string, index: number): string {
  const [light, dark] = hues[label] ?? others[index % others.length] ?? ['#777777', '#aaaaaa'];
  return `var(--emotion-color-${label.replace(/[^a-z0-9-]/gi, '-')}, light-dark(${light}, ${dark}))`;
}

/** A label as people read it: `happy` -> `Happy`. */
export function labelName(label: string): string {
  return label.charAt(0).toUpperCase() + label.slice(1).replaceAll('_', ' ');
}

const colors: Readonly<Record<string, readonly [string, string]>> = {
  surface: ['#ffffff', '#1b1e24'],
  sunken: ['#f1f2f5', '#12141a'],
  text: ['#1c2026', '#e9ebef'],
  muted: ['#5a626e', '#a1a9b5'],
  line: ['#dcdfe5', '#343943'],
  accent: ['#2f5fd0', '#8fb0ff'],
  'on-accent': ['#ffffff', '#10131a'],
  warn: ['#8a5a00', '#f0c15c'],
  danger: ['#b3261e', '#ff9d94'],
};

const privateColors = Object.entries(colors)
  .map(([name, [light, dark]]) => `--_${name}: var(--emotion-${name}, light-dark(${light}, ${dark}));`)
  .join('\n');

/** Every element's first style sheet. */
export const theme = css`
  :host {
    ${unsafeCSS(privateColors)}
    --_radius: var(--emotion-radius, 14px);
    display: block;
    box-sizing: border-box;
    color: var(--_text);
    line-height: 1.45;
  }
  :host([hidden]) {
    display: none;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  :focus-visible {
    outline: 3px solid var(--_accent);
    outline-offset: 2px;
  }
`;
