// What a refused camera or microphone means, in plain words.
import { Problem, type ProblemKind } from '../base/errors.ts';

type Device = 'camera' | 'microphone';

/** Any failure of getUserMedia, or of starting a device, as a Problem that says what to do. */
export function deviceProblem(error: unknown, device: Device): Problem {
  if (error instanceof Problem) return error;
  const name = error instanceof DOMException ? error.name : '';
  const [kind, message] = explain(name, device, error instanceof Error ? error.message : String(error));
  return new Problem(kind, message, { cause: error });
}

function explain(name: string, device: Device, detail: string): readonly [ProblemKind, string] {
  switch (name) {
    case 'NotAllowedError':
      return [
        'permission-denied',
        `The ${device} was not allowed. Allow it for this page, usually by the icon beside the address (the system's privacy settings may forbid it too), and start again.`,
      ];
    case 'SecurityError':
      return [
        'permission-denied',
        `The site that shows this page does not let it use the ${device}. Open the page by itself.`,
      ];
    case 'NotFoundError':
      return [
        device === 'camera' ? 'no-camera' : 'no-microphone',
        `No ${device} was found. Connect one and start again${device === 'camera' ? ', or open a file or the demo' : ''}.`,
      ];
    case 'NotReadableError':
    case 'AbortError':
      return [
        'device-busy',
        `The ${device} could not be started: another program may be using it. Close that program and start again.`,
      ];
    case 'OverconstrainedError':
      return [
        device === 'camera' ? 'no-camera' : 'no-microphone',
        `No ${device} gives what is needed here. Choose another one in the browser's settings and start again.`,
      ];
    case 'NotSupportedError':
      return [
        device === 'camera' ? 'no-camera' : 'no-microphone',
        `This browser cannot bring the ${device} into the form that is needed. Use a current Chrome, Edge or Safari.`,
      ];
    default:
      return [
        device === 'camera' ? 'no-camera' : 'no-microphone',
        `The ${device} could not be opened (${detail || name}). Reload the page and start again.`,
      ];
  }
}

/** Where the browser gives a page no devices at all: pages that are not https, and very old browsers. */
export function insecureContextProblem(): Problem {
  return new Problem(
    'insecure-context',
    'Camera and microphone are open only to secure pages. Use an address that begins with https:// (or http://localhost).',
  );
}
