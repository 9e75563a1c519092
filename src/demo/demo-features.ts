// Eyes, brows, nose and mouth of the drawn face: what an expression moves.
import type { Expression } from './demo-script.ts';
import { glow, palette, place } from './demo-paint.ts';
import type { Pen } from './demo-paint.ts';

/** @param side -1: the picture's left eye. */
export function drawEye(pen: Pen, face: Expression, side: -1 | 1): void {
  const at = place(face, side * 0.36, -0.12);
  pen.save();
  pen.translate(at.x, at.y);
  pen.scale(at.squeeze * side, 1); // x now points outward
  const half = 0.185;
  const lift = face.lid * 0.098;
  const low = 0.062 * (1 - 0.55 * face.squint) * Math.min(1, 0.35 + face.lid);
  // Heights of the lids' middles; a shut eye rests on its lower lid.
  const upper = face.lid < 0.08 ? low - 0.004 : -lift + 0.02 * face.frown;
  const innerY = 0.022 + 0.02 * face.frown - 0.012 * face.innerBrow;
  const outerY = -0.012 + 0.022 * face.innerBrow;
  const lids = (top: number, bottom: number): Path2D => {
    const path = new Path2D();
    path.moveTo(-half, innerY);
    path.bezierCurveTo(-half * 0.5, top * 1.45 + 0.01, half * 0.5, top * 1.4, half, outerY);
    path.bezierCurveTo(half * 0.5, bottom * 1.35, -half * 0.5, bottom * 1.35, -half, innerY);
    return path;
  };
  const opening = lids(upper, low);
  pen.save();
  pen.clip(opening);
  pen.fillStyle = palette.eyeWhite;
  pen.fillRect(-0.3, -0.3, 0.6, 0.6);
  const ix = side * 0.06 * face.gazeX;
  const iy = 0.03 * face.gazeY - 0.008;
  const iris = pen.createRadialGradient(ix, iy + 0.025, 0.02, ix, iy, 0.09);
  iris.addColorStop(0, '#8fae7c');
  iris.addColorStop(0.6, palette.iris);
  iris.addColorStop(1, palette.irisDark);
  pen.fillStyle = iris;
  pen.beginPath();
  pen.arc(ix, iy, 0.09, 0, 2 * Math.PI);
  pen.fill();
  pen.fillStyle = palette.pupil;
  pen.beginPath();
  pen.arc(ix, iy, 0.042, 0, 2 * Math.PI);
  pen.fill();
  glow(pen, 0, upper - 0.01, 0.24, 0.085, '#3a2018', 0.75);
  pen.fillStyle = '#ffffff';
  pen.beginPath();
  pen.arc(ix - side * 0.032, iy - 0.032, 0.019, 0, 2 * Math.PI);
  pen.fill();
  pen.restore();
  // Lower lid, crease above the upper lid, and the lashes.
  pen.lineCap = 'round';
  pen.strokeStyle = palette.skinDeep;
  pen.globalAlpha = 0.45;
  pen.lineWidth = 0.012;
  pen.beginPath();
  pen.moveTo(-half, innerY);
  pen.bezierCurveTo(-half * 0.5, low * 1.35, half * 0.5, low * 1.35, half, outerY);
  pen.stroke();
  pen.globalAlpha = 0.5;
  pen.beginPath();
  const crease = -lift * 0.75 - 0.075;
  pen.moveTo(-half * 0.9, innerY - 0.06);
  pen.bezierCurveTo(-half * 0.5, crease * 1.2, half * 0.5, crease * 1.2, half * 1.05, outerY - 0.045);
  pen.stroke();
  if (face.squint > 0.05) {
    pen.globalAlpha = 0.4 * face.squint;
    pen.lineWidth = 0.016;
    pen.beginPath();
    pen.moveTo(-half * 0.8, low + 0.07);
    pen.quadraticCurveTo(0, low + 0.11, half * 0.9, low + 0.04);
    pen.stroke();
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = palette.lash;
  pen.lineWidth = 0.03;
  pen.beginPath();
  pen.moveTo(-half, innerY);
  pen.bezierCurveTo(-half * 0.5, upper * 1.45 + 0.01, half * 0.5, upper * 1.4, half, outerY);
  pen.lineTo(half + 0.035, outerY - 0.022);
  pen.stroke();
  pen.restore();
}

export function drawBrow(pen: Pen, face: Expression, side: -1 | 1): void {
  const inner = place(face, side * (0.15 - 0.04 * face.frown), -0.36, 0.05);
  const middle = place(face, side * 0.38, -0.44, 0.04);
  const outer = place(face, side * 0.6, -0.36);
  const raise = -0.11 * face.brow + 0.05 * face.wrinkle;
  const innerY = inner.y + raise - 0.1 * face.innerBrow + 0.13 * face.frown;
  const middleY = middle.y + raise - 0.01 * face.innerBrow + 0.02 * face.frown;
  const outerY = outer.y + raise * 0.6 + 0.05 * face.innerBrow - 0.03 * face.frown;
  pen.save();
  pen.fillStyle = palette.hair;
  pen.globalAlpha = 0.92;
  pen.beginPath();
  pen.moveTo(inner.x, innerY + 0.035);
  pen.quadraticCurveTo(inner.x - side * 0.02, innerY, inner.x, innerY - 0.035);
  pen.quadraticCurveTo(middle.x, middleY - 0.045, outer.x, outerY);
  pen.quadraticCurveTo(middle.x, middleY + 0.03, inner.x, innerY + 0.035);
  pen.fill();
  pen.restore();
  if (face.frown > 0.2) {
    const crease = place(face, side * 0.06, -0.3, 0.1);
    pen.save();
    pen.globalAlpha = 0.45 * face.frown;
    pen.strokeStyle = palette.skinDeep;
    pen.lineWidth = 0.018;
    pen.lineCap = 'round';
    pen.beginPath();
    pen.moveTo(crease.x, crease.y + 0.08);
    pen.quadraticCurveTo(crease.x + side * 0.02, crease.y, crease.x, crease.y - 0.09);
    pen.stroke();
    pen.restore();
  }
}

export function drawNose(pen: Pen, face: Expression): void {
  const bridge = place(face, 0, 0.02, 0.12);
  const tip = place(face, 0, 0.33 - 0.025 * face.wrinkle, 0.26);
  const base = place(face, 0, 0.42 - 0.03 * face.wrinkle, 0.16);
  glow(pen, (bridge.x + tip.x) / 2 + 0.1, 0.15, 0.1, 0.36, palette.skinDeep, 0.36);
  glow(pen, (bridge.x + tip.x) / 2 - 0.02, 0.12, 0.06, 0.34, '#ffe9d4', 0.6);
  glow(pen, base.x + 0.03, base.y + 0.045, 0.24, 0.08, palette.skinDeep, 0.6);
  for (const side of [-1, 1]) {
    glow(
      pen,
      base.x + side * 0.135,
      base.y - 0.03,
      0.085,
      0.085,
      side < 0 ? palette.skin : palette.skinShade,
      0.8,
    );
    pen.save();
    pen.strokeStyle = palette.skinDeep;
    pen.globalAlpha = 0.5;
    pen.lineWidth = 0.016;
    pen.lineCap = 'round';
    pen.beginPath();
    pen.arc(
      base.x + side * 0.13,
      base.y - 0.035,
      0.065,
      side > 0 ? -0.9 : Math.PI - 0.9,
      side > 0 ? 0.9 : Math.PI + 0.9,
    );
    pen.stroke();
    pen.globalAlpha = 0.8;
    pen.fillStyle = '#5a2a22';
    pen.beginPath();
    pen.ellipse(base.x + side * 0.07, base.y, 0.042, 0.02, side * 0.25, 0, 2 * Math.PI);
    pen.fill();
    pen.restore();
  }
  glow(pen, tip.x - 0.03, tip.y - 0.02, 0.09, 0.07, '#fff3e4', 0.75);
  if (face.wrinkle > 0.05) {
    pen.save();
    pen.globalAlpha = 0.5 * face.wrinkle;
    pen.strokeStyle = palette.skinDeep;
    pen.lineWidth = 0.014;
    for (let i = 0; i < 3; i++) {
      const y = 0.0 + i * 0.055;
      pen.beginPath();
      pen.moveTo(bridge.x - 0.09, y - 0.02);
      pen.quadraticCurveTo(bridge.x, y + 0.025, bridge.x + 0.09, y - 0.02);
      pen.stroke();
    }
    pen.restore();
  }
}

export function drawMouth(pen: Pen, face: Expression): void {
  const at = place(face, 0, 0.67, 0.04);
  const half = 0.27 + 0.07 * face.wide + 0.045 * Math.max(0, face.smile);
  const open = Math.max(0, face.open);
  const corner = (face.smile > 0 ? -0.1 : -0.075) * face.smile + 0.02 * open;
  const center = 0.035 * face.smile;
  // Middles of the inner edges and of the lips' outer edges.
  const innerTop = center - 0.045 * open - 0.05 * face.wrinkle;
  const innerBottom = center + 0.25 * open;
  const thin = 1 - 0.45 * face.press - 0.2 * Math.max(0, face.smile);
  const lipTop = innerTop - 0.075 * thin;
  const lipBottom = innerBottom + 0.1 * thin;
  pen.save();
  pen.translate(at.x, at.y);
  pen.scale(at.squeeze, 1);
  // Folds from the nose to the corners, shade below the lower lip and at the corners.
  const fold = 0.25 + 0.5 * Math.max(Math.max(0, face.smile), face.wrinkle);
  pen.lineCap = 'round';
  for (const side of [-1, 1]) {
    pen.strokeStyle = palette.skinDeep;
    pen.globalAlpha = 0.55 * fold;
    pen.lineWidth = 0.022;
    pen.beginPath();
    pen.moveTo(side * 0.21, -0.27 - 0.03 * face.wrinkle);
    pen.quadraticCurveTo(side * (half + 0.08), -0.2, side * (half + 0.1), corner + 0.02);
    pen.stroke();
    pen.globalAlpha = 1;
    glow(pen, side * (half + 0.01), corner, 0.07, 0.06, palette.skinDeep, 0.65);
  }
  glow(pen, 0.02, lipBottom + 0.05, 0.2, 0.065, palette.skinDeep, 0.55);

  const through = (y: number): number => 2 * y - corner; // control of a quadratic whose middle is at y
  const inside = new Path2D();
  inside.moveTo(-half, corner);
  inside.quadraticCurveTo(0, through(innerTop), half, corner);
  inside.quadraticCurveTo(0, through(innerBottom), -half, corner);
  const lips = new Path2D();
  lips.moveTo(-half - 0.015, corner);
  lips.bezierCurveTo(
    -half * 0.6,
    (corner + lipTop) / 2 - 0.015,
    -0.13,
    lipTop - 0.025,
    -0.07,
    lipTop - 0.012,
  );
  lips.quadraticCurveTo(0, lipTop + 0.028, 0.07, lipTop - 0.012);
  lips.bezierCurveTo(0.13, lipTop - 0.025, half * 0.6, (corner + lipTop) / 2 - 0.015, half + 0.015, corner);
  lips.bezierCurveTo(
    half * 0.6,
    1.3 * lipBottom - 0.3 * corner,
    -half * 0.6,
    1.3 * lipBottom - 0.3 * corner,
    -half - 0.015,
    corner,
  );
  const flesh = pen.createLinearGradient(0, lipTop, 0, lipBottom);
  flesh.addColorStop(0, '#a94b46');
  flesh.addColorStop(0.5, palette.lip);
  flesh.addColorStop(1, palette.lipLight);
  pen.fillStyle = flesh;
  pen.fill(lips);
  glow(pen, -0.03, (innerBottom + lipBottom) / 2, 0.14, 0.035, '#f3b3a4', 0.7);

  if (open > 0.03) {
    pen.save();
    pen.clip(inside);
    pen.fillStyle = palette.mouthInside;
    pen.fillRect(-0.5, -0.5, 1, 1.2);
    pen.fillStyle = palette.tongue;
    pen.beginPath();
    pen.ellipse(0, innerBottom + 0.03, half * 0.6, 0.09 + 0.05 * open, 0, 0, 2 * Math.PI);
    pen.fill();
    // Upper teeth follow the upper lip.
    pen.fillStyle = palette.teeth;
    pen.globalAlpha = Math.min(1, Math.max(0, 6 * open + Math.min(0, face.smile)));
    const teeth = innerTop + 0.055 + 0.03 * Math.max(0, face.smile);
    pen.beginPath();
    pen.moveTo(-half * 0.92, corner - 0.1);
    pen.lineTo(half * 0.92, corner - 0.1);
    pen.quadraticCurveTo(half * 0.7, teeth, 0, teeth);
    pen.quadraticCurveTo(-half * 0.7, teeth, -half * 0.92, corner - 0.1);
    pen.fill();
    pen.globalAlpha = 1;
    glow(pen, 0, innerTop - 0.01, half, 0.05, palette.mouthInside, 0.4);
    pen.restore();
  } else {
    pen.strokeStyle = '#6b2525';
    pen.globalAlpha = 0.9;
    pen.lineWidth = 0.018;
    pen.beginPath();
    pen.moveTo(-half, corner);
    pen.quadraticCurveTo(0, through(center), half, corner);
    pen.stroke();
    pen.globalAlpha = 1;
  }
  pen.restore();
}
