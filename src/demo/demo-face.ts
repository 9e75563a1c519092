// The demo person's picture: a shaded, drawn face made of paths and gradients, so that no photograph is needed.
// Units: the head's center is the origin and half its height about 1; x to the picture's right, y down.
import { defined } from '../base/assert.ts';
import type { Expression } from './demo-script.ts';
import { drawBrow, drawEye, drawMouth, drawNose } from './demo-features.ts';
import { glow, palette, place } from './demo-paint.ts';
import type { Pen } from './demo-paint.ts';

export const demoWidthPx = 640;
export const demoHeightPx = 480;

/** Pixels to a unit, and where the head stands. */
const unitPx = 138;
const headX = 0.5 * demoWidthPx;
const headY = 0.475 * demoHeightPx;

/** Everything that never moves, drawn once. */
export function drawBackdrop(): OffscreenCanvas {
  const canvas = new OffscreenCanvas(demoWidthPx, demoHeightPx);
  const pen = defined(canvas.getContext('2d'), "the backdrop's 2-D context");
  const wall = pen.createRadialGradient(headX - 110, headY - 120, 30, headX, headY, 480);
  wall.addColorStop(0, palette.backdrop[0]);
  wall.addColorStop(0.5, palette.backdrop[1]);
  wall.addColorStop(1, palette.backdrop[2]);
  pen.fillStyle = wall;
  pen.fillRect(0, 0, demoWidthPx, demoHeightPx);
  for (const [x, y, r, color] of [
    [90, 110, 120, '#f2e2c8'],
    [560, 90, 150, '#c9dbe0'],
    [590, 340, 120, '#e8d8c4'],
    [40, 380, 110, '#8fa7ad'],
  ] as const)
    glow(pen, x, y, r, r, color, 0.5);
  return canvas;
}

function headPath(face: Expression): Path2D {
  const chin = 1.16 + 0.09 * face.open;
  const path = new Path2D();
  path.moveTo(0, -1.12);
  for (const side of [1, -1]) {
    const turn = side * (side * face.yaw > 0 ? 1 : 1 - 0.1 * Math.abs(face.yaw));
    path.moveTo(0, -1.12);
    path.bezierCurveTo(turn * 0.52, -1.12, turn * 0.85, -0.76, turn * 0.85, -0.12);
    path.bezierCurveTo(turn * 0.85, 0.4, turn * 0.66, 0.8, turn * 0.32, chin - 0.09);
    path.bezierCurveTo(turn * 0.22, chin, turn * 0.1, chin + 0.01, 0, chin + 0.01);
  }
  return path;
}

function drawBody(pen: Pen, face: Expression): void {
  const sway = 0.25 * face.yaw;
  const neck = new Path2D();
  neck.moveTo(-0.38, 0.6);
  neck.bezierCurveTo(-0.38, 1.1, -0.4 + sway, 1.28, -0.66 + sway, 1.45);
  neck.lineTo(-0.4 + sway, 1.75);
  neck.lineTo(0.4 + sway, 1.75);
  neck.lineTo(0.66 + sway, 1.45);
  neck.bezierCurveTo(0.4 + sway, 1.28, 0.38, 1.1, 0.38, 0.6);
  pen.save();
  pen.fillStyle = palette.skinShade;
  pen.fill(neck);
  pen.clip(neck);
  glow(pen, 0.05 + 0.3 * face.yaw, 1.14, 0.7, 0.36, palette.skinDeep, 0.8);
  glow(pen, -0.12 + sway, 1.46, 0.34, 0.16, palette.skinLight, 0.4);
  pen.restore();
  // Shirt
  const cloth = pen.createLinearGradient(-1.6, 1.2, 1.6, 2);
  cloth.addColorStop(0, '#3c858a');
  cloth.addColorStop(0.5, palette.shirt);
  cloth.addColorStop(1, palette.shirtDark);
  pen.fillStyle = cloth;
  pen.beginPath();
  pen.moveTo(-0.52 + sway, 1.34);
  pen.bezierCurveTo(-0.4 + sway, 1.62, 0.4 + sway, 1.62, 0.52 + sway, 1.34);
  pen.bezierCurveTo(0.9, 1.46, 1.45, 1.48, 1.72, 2.2);
  pen.lineTo(-1.72, 2.2);
  pen.bezierCurveTo(-1.45, 1.48, -0.9, 1.46, -0.52 + sway, 1.34);
  pen.fill();
  pen.strokeStyle = '#4c999d';
  pen.lineWidth = 0.05;
  pen.beginPath();
  pen.moveTo(-0.52 + sway, 1.36);
  pen.bezierCurveTo(-0.4 + sway, 1.64, 0.4 + sway, 1.64, 0.52 + sway, 1.36);
  pen.stroke();
}

function drawHairBack(pen: Pen, face: Expression): void {
  const shift = -0.3 * face.yaw;
  const hair = pen.createLinearGradient(-0.9, -1.2, 0.9, 0.7);
  hair.addColorStop(0, palette.hairLight);
  hair.addColorStop(0.35, palette.hair);
  hair.addColorStop(1, palette.hairDark);
  pen.fillStyle = hair;
  pen.beginPath();
  pen.moveTo(shift, -1.36);
  for (const side of [1, -1]) {
    pen.moveTo(shift, -1.36);
    pen.bezierCurveTo(shift + side * 0.78, -1.38, shift + side * 1.12, -0.85, shift + side * 1.05, -0.05);
    pen.bezierCurveTo(shift + side * 1.03, 0.35, shift + side * 1.14, 0.72, shift + side * 0.9, 0.98);
    pen.bezierCurveTo(shift + side * 0.78, 1.08, shift + side * 0.55, 1.02, shift + side * 0.4, 0.9);
    pen.lineTo(shift, 0.9);
  }
  pen.fill();
}

function drawSkin(pen: Pen, face: Expression, head: Path2D): void {
  const skin = pen.createRadialGradient(-0.28, -0.42, 0.05, 0, 0, 1.3);
  skin.addColorStop(0, palette.skinLight);
  skin.addColorStop(0.5, palette.skin);
  skin.addColorStop(1, palette.skinShade);
  pen.fillStyle = skin;
  pen.fill(head);
  pen.clip(head);
  // Away from the light, below the jaw and under the hair.
  glow(pen, 1.02, 0.2, 0.6, 1.1, palette.skinDeep, 0.55);
  glow(pen, -1.08, 0.3, 0.42, 0.9, palette.skinDeep, 0.35);
  glow(pen, 0.05, 1.34, 0.75, 0.36, palette.skinDeep, 0.5);
  glow(pen, 0, -0.98, 1.0, 0.42, palette.skinDeep, 0.5);
  const cheek = face.squint * 0.5 + Math.max(0, face.smile) * 0.5;
  for (const side of [-1, 1]) {
    const socket = place(face, side * 0.36, -0.14);
    glow(pen, socket.x, socket.y, 0.3 * socket.squeeze, 0.2, palette.skinDeep, 0.36);
    const apple = place(face, side * 0.5, 0.3 - 0.05 * cheek);
    glow(pen, apple.x, apple.y, 0.3 * apple.squeeze, 0.22, palette.blush, 0.3 + 0.2 * cheek);
    glow(
      pen,
      apple.x - 0.06,
      apple.y - 0.06,
      0.16 * apple.squeeze,
      0.12,
      palette.skinLight,
      0.3 + 0.35 * cheek,
    );
  }
  const chin = place(face, -0.03, 0.94 + 0.07 * face.open);
  glow(pen, chin.x, chin.y, 0.2, 0.12, palette.skinLight, 0.5);
  const brow = place(face, -0.1, -0.55);
  glow(pen, brow.x, brow.y, 0.5, 0.25, '#ffe6cc', 0.45);
}

function drawHairFront(pen: Pen, face: Expression): void {
  const at = (x: number, y: number): [number, number] => {
    const p = place(face, x, y, 0.1);
    return [p.x - 0.08 * face.yaw, p.y];
  };
  const hair = pen.createLinearGradient(-0.8, -1.3, 0.7, -0.3);
  hair.addColorStop(0, palette.hairLight);
  hair.addColorStop(0.5, palette.hair);
  hair.addColorStop(1, palette.hairDark);
  pen.fillStyle = hair;
  const shift = -0.3 * face.yaw;
  // A fringe swept from the parting to the picture's left, and the locks at both sides.
  pen.beginPath();
  pen.moveTo(shift - 1.02, 0.5);
  pen.bezierCurveTo(shift - 1.14, -0.9, shift - 0.74, -1.38, shift, -1.37);
  pen.bezierCurveTo(shift + 0.74, -1.38, shift + 1.14, -0.9, shift + 1.02, 0.5);
  pen.bezierCurveTo(shift + 0.9, 0.3, ...at(0.86, -0.1), ...at(0.76, -0.46));
  pen.bezierCurveTo(...at(0.66, -0.7), ...at(0.5, -0.86), ...at(0.3, -0.95));
  pen.bezierCurveTo(...at(0.08, -0.66), ...at(-0.35, -0.62), ...at(-0.68, -0.52));
  pen.bezierCurveTo(...at(-0.84, -0.3), shift - 0.9, 0.25, shift - 1.02, 0.5);
  pen.fill();
  // Strands
  pen.lineCap = 'round';
  pen.lineWidth = 0.016;
  for (let i = 0; i < 9; i++) {
    const t = i / 8;
    pen.strokeStyle = i % 2 === 0 ? '#8f6044' : palette.hairDark;
    pen.globalAlpha = 0.35;
    pen.beginPath();
    pen.moveTo(...at(0.3 - 0.06 * t, -0.98 - 0.2 * t));
    pen.bezierCurveTo(
      ...at(0.05, -0.78 - 0.3 * t),
      ...at(-0.35, -0.7 - 0.3 * t),
      ...at(-0.68 - 0.1 * t, -0.58 - 0.1 * t),
    );
    pen.stroke();
  }
  pen.globalAlpha = 1;
  glow(pen, shift - 0.35, -1.06, 0.5, 0.16, '#b98560', 0.5);
}

/**
 * Draws one picture, 640x480.
 * @param backdrop from drawBackdrop.
 */
export function drawDemoFace(pen: Pen, backdrop: CanvasImageSource, face: Expression): void {
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.globalAlpha = 1;
  pen.drawImage(backdrop, 0, 0);
  pen.setTransform(unitPx, 0, 0, unitPx, headX + 12 * face.roll, headY);
  // The neck is where the head tilts.
  pen.save();
  pen.translate(0.22 * face.yaw, 1.1 + 0.15 * face.pitch);
  pen.rotate(face.roll);
  pen.translate(0, -1.1);
  drawHairBack(pen, face);
  pen.restore();
  drawBody(pen, face);
  pen.save();
  pen.translate(0.22 * face.yaw, 1.1 + 0.15 * face.pitch);
  pen.rotate(face.roll);
  pen.translate(0, -1.1);
  const head = headPath(face);
  pen.save();
  drawSkin(pen, face, head);
  drawNose(pen, face);
  drawMouth(pen, face);
  for (const side of [-1, 1] as const) drawEye(pen, face, side);
  pen.restore();
  for (const side of [-1, 1] as const) drawBrow(pen, face, side);
  drawHairFront(pen, face);
  pen.restore();
}
