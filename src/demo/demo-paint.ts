// Colors, soft shading and the turning of the head, for the drawn face.
import type { Expression } from './demo-script.ts';

export const palette = {
  skinLight: '#f6cfae',
  skin: '#e8b48e',
  skinShade: '#c98a66',
  skinDeep: '#8f5540',
  blush: '#d9705f',
  lip: '#b9564f',
  lipLight: '#cf726a',
  mouthInside: '#4a1519',
  tongue: '#b4524f',
  teeth: '#f4efe8',
  eyeWhite: '#f3eee8',
  iris: '#5b7a55',
  irisDark: '#2c3f2d',
  pupil: '#100d0c',
  lash: '#2a1a14',
  hair: '#3d2619',
  hairLight: '#7a4e33',
  hairDark: '#21130c',
  shirt: '#2f6f73',
  shirtDark: '#1b4549',
  backdrop: ['#dfe6e6', '#a9b9bd', '#6f8288'],
} as const;

export type Pen = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** A soft spot: full in the middle, nothing at its rim. */
export function glow(
  pen: Pen,
  x: number,
  y: number,
  rx: number,
  ry: number,
  color: string,
  alpha: number,
): void {
  if (alpha <= 0) return;
  pen.save();
  pen.translate(x, y);
  pen.scale(rx, ry);
  const gradient = pen.createRadialGradient(0, 0, 0, 0, 0, 1);
  // Near a Gaussian, which has no visible rim.
  gradient.addColorStop(0, color);
  gradient.addColorStop(0.35, `${color}b8`);
  gradient.addColorStop(0.65, `${color}48`);
  gradient.addColorStop(1, `${color}00`);
  pen.globalAlpha *= Math.min(1, alpha);
  pen.fillStyle = gradient;
  pen.fillRect(-1, -1, 2, 2);
  pen.restore();
}

/** Turns a point on the head's front, pushed out by `lift`, by yaw and pitch. */
export interface Placed {
  readonly x: number;
  readonly y: number;
  /** How much narrower things are drawn there. */
  readonly squeeze: number;
}

export function place(face: Expression, x: number, y: number, lift = 0): Placed {
  const z = 0.8 * Math.sqrt(Math.max(0.04, 1 - (x / 1.0) ** 2 - (y / 1.5) ** 2)) + lift;
  const cos = Math.cos(face.yaw);
  const sin = Math.sin(face.yaw);
  const slope = (-0.64 * x) / Math.max(0.3, z);
  return {
    x: x * cos + z * sin,
    y: y * Math.cos(face.pitch) + z * 0.8 * Math.sin(face.pitch),
    squeeze: Math.max(0.6, cos + slope * sin),
  };
}
