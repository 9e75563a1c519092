// What the page says, in one place: each failure and each notice in plain words, with what to do.
import type { ProblemKind } from '../base/errors.ts';
import type { ModelStatus } from '../live/model-choice.ts';
import type { Notice, StartStep } from '../live/state.ts';

export interface Words {
  readonly title: string;
  readonly advice: string;
}

/** Title and advice for a failure; the problem's own message stands below as detail. */
export function problemWords(kind: ProblemKind): Words {
  return problems[kind];
}

const problems: Readonly<Record<ProblemKind, Words>> = {
  'permission-denied': {
    title: 'Camera and microphone are not allowed',
    advice:
      'Allow them for this page with the camera sign in the address bar or in the browser’s site settings, then press Start again. Or choose Demo: it needs neither.',
  },
  'no-camera': {
    title: 'No camera found',
    advice: 'Connect a camera and press Start again, or choose File or Demo.',
  },
  'no-microphone': {
    title: 'No microphone found',
    advice: 'Connect a microphone and press Start again. Without one, only the face is read.',
  },
  'device-busy': {
    title: 'The camera is in use',
    advice: 'Another program or tab holds the camera or the microphone. Close it and press Start again.',
  },
  'device-lost': {
    title: 'The camera or microphone went away',
    advice: 'It was unplugged or switched off. Connect it and press Start again.',
  },
  'insecure-context': {
    title: 'This address cannot use a camera',
    advice:
      'Browsers give a camera only to pages from https:// or localhost. Open the page from such an address, or choose File or Demo.',
  },
  'unsupported-file': {
    title: 'This file cannot be played',
    advice: 'Choose a video that your browser can play, such as MP4 (H.264) or WebM.',
  },
  'demo-missing': {
    title: 'The demo could not be loaded',
    advice: 'Check the connection and press Start again, or choose Camera or File.',
  },
  'model-missing': {
    title: 'The model was not found',
    advice:
      'Check the address of the model’s folder: it must hold a manifest.json and the weight files that it names.',
  },
  'model-invalid': {
    title: 'The model does not fit',
    advice: 'Its files are damaged, incomplete or made for another version. Fetch or export the model again.',
  },
  'face-detector-failed': {
    title: 'The face detector failed',
    advice: 'Reload the page. If it happens again, check that the page’s vendor files are served whole.',
  },
  'worker-failed': {
    title: 'The recognizer stopped',
    advice:
      'The browser ended it, often for lack of memory. Close other tabs and press Start again, or choose another backend.',
  },
  timeout: {
    title: 'This takes too long',
    advice:
      'Something did not answer in time. Press Start again; on a slow network or machine it may need a second try.',
  },
  internal: {
    title: 'Something broke in this page',
    advice: 'This is a fault of ours. Press Start again; if it stays, please report the line below.',
  },
};

/** One line for a notice. */
export function noticeWords(notice: Notice): string {
  return notices[notice];
}

const notices: Readonly<Record<Notice, string>> = {
  'no-face': 'No face seen: look at the camera, with light in front.',
  'no-sound': 'No sound heard: only the face counts.',
  'no-microphone': 'No microphone: only the face counts.',
  'no-picture': 'This file has no picture: only the voice counts.',
  filling: 'Gathering the first seconds…',
};

/** What a start is doing. */
export function stepWords(step: StartStep): string {
  return steps[step];
}

const steps: Readonly<Record<StartStep, string>> = {
  devices: 'Opening picture and sound',
  'face-detector': 'Loading the face detector',
  backend: 'Looking for the fastest way to compute',
  download: 'Loading the model',
  'warm-up': 'Warming up the model',
};

/** Why this model runs, for a line that begins with its name: `nano: chosen, ...`. */
export function modelWords(status: ModelStatus): string {
  switch (status.why) {
    case 'measuring':
      return 'measuring how fast it runs here';
    case 'largest':
      return 'chosen, the largest that is offered';
    case 'by-hand':
      return 'chosen by hand';
    case 'save-data':
      return 'chosen, as this browser is set to save data';
    case 'loading':
      return `reads while ${status.other} is being loaded`;
    case 'next-too-slow':
      return `chosen, ${status.other} would need about ${seconds(status.otherMs)} a reading here`;
    case 'went-back':
      return `chosen again, ${status.other} was too slow: ${seconds(status.otherMs)} a reading here`;
    case 'failed':
      return `goes on, ${status.other} could not be used (${status.message})`;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Backends as people write them. */
export const backendNames = { webgpu: 'WebGPU', wasm: 'WebAssembly', cpu: 'JavaScript' } as const;

/** A probability as a whole percentage. */
export function percent(probability: number): string {
  return `${String(Math.round(probability * 100))} %`;
}
