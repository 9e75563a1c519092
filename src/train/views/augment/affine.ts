// Pillow's bicubic affine transforms (9.4), bit for bit: rotate, shear, translate; what comes from outside is gray.
import type { Pictures } from './pictures.ts';

/** Output pixel (x, y) is read at (a x + b y + c, d x + e y + f), pixel middles at halves. */
type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** RandAugment's fill. */
const fill = 128;

/** Pillow's cubic (a = -1) through four neighbors; the order of operations is Pillow's, since the result is truncated. */
function cubic(v1: number, v2: number, v3: number, v4: number, d: number): number {
  return v2 + d * (-v1 + v3 + d * (2 * (v1 - v2) + v3 - v4 + d * (-v1 + v2 - v3 + v4)));
}

const clamp = (x: number, most: number): number => (x < 0 ? 0 : x > most ? most : x);

/**
 * Image.transform(AFFINE, BICUBIC, fillcolor 128), all frames alike.
 * A read that lies exactly on a row or column of pixels needs no cubic across it: the cubic at 0 is its second value.
 */
export function affine(pictures: Pictures, [a, b, c, d, e, f]: Matrix): void {
  const { data, width, height } = pictures;
  const source = data.slice();
  const size = width * height * 3;
  const line = width * 3;
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      let xin = a * (x + 0.5) + b * (y + 0.5) + c;
      let yin = d * (x + 0.5) + e * (y + 0.5) + f;
      if (xin < 0 || xin >= width || yin < 0 || yin >= height) {
        for (let out = at; out < data.length; out += size) {
          data[out] = fill;
          data[out + 1] = fill;
          data[out + 2] = fill;
        }
        continue;
      }
      xin -= 0.5;
      yin -= 0.5;
      const x0 = Math.floor(xin);
      const y0 = Math.floor(yin);
      const dx = xin - x0;
      const dy = yin - y0;
      const c1 = clamp(x0 - 1, width - 1) * 3;
      const c2 = clamp(x0, width - 1) * 3;
      const c3 = clamp(x0 + 1, width - 1) * 3;
      const c4 = clamp(x0 + 2, width - 1) * 3;
      const r1 = clamp(y0 - 1, height - 1) * line;
      const r2 = clamp(y0, height - 1) * line;
      const r3 = clamp(y0 + 1, height - 1) * line;
      const r4 = clamp(y0 + 2, height - 1) * line;
      for (let frame = 0; frame < data.length; frame += size) {
        for (let i = frame; i < frame + 3; i++) {
          let value: number;
          if (dy === 0) {
            const row = i + r2;
            value = cubic(source[row + c1]!, source[row + c2]!, source[row + c3]!, source[row + c4]!, dx);
          } else if (dx === 0) {
            const column = i + c2;
            value = cubic(
              source[column + r1]!,
              source[column + r2]!,
              source[column + r3]!,
              source[column + r4]!,
              dy,
            );
          } else {
            value = cubic(
              cubic(
                source[i + r1 + c1]!,
                source[i + r1 + c2]!,
                source[i + r1 + c3]!,
                source[i + r1 + c4]!,
                dx,
              ),
              cubic(
                source[i + r2 + c1]!,
                source[i + r2 + c2]!,
                source[i + r2 + c3]!,
                source[i + r2 + c4]!,
                dx,
              ),
              cubic(
                source[i + r3 + c1]!,
                source[i + r3 + c2]!,
                source[i + r3 + c3]!,
                source[i + r3 + c4]!,
                dx,
              ),
              cubic(
                source[i + r4 + c1]!,
                source[i + r4 + c2]!,
                source[i + r4 + c3]!,
                source[i + r4 + c4]!,
                dx,
              ),
              dy,
            );
          }
          // Truncated, where the array would round.
          data[at + i] = Math.trunc(value);
        }
      }
    }
  }
}

/** Image.rotate about the middle, counter-clockwise. */
export function rotate(pictures: Pictures, degrees: number): void {
  const turn = ((degrees % 360) + 360) % 360;
  if (turn === 0) return;
  const angle = -(turn * (Math.PI / 180));
  const cos = Number(Math.cos(angle).toFixed(15));
  const sin = Number(Math.sin(angle).toFixed(15));
  const [x, y] = [pictures.width / 2, pictures.height / 2];
  affine(pictures, [cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y]);
}

/** @param factor columns moved for each row */
export function shearX(pictures: Pictures, factor: number): void {
  affine(pictures, [1, factor, 0, 0, 1, 0]);
}

/** @param factor rows moved for each column */
export function shearY(pictures: Pictures, factor: number): void {
  affine(pictures, [1, 0, 0, factor, 1, 0]);
}

/** @param share of the width that the picture moves to the left */
export function translateX(pictures: Pictures, share: number): void {
  affine(pictures, [1, 0, share * pictures.width, 0, 1, 0]);
}

/** @param share of the height that the picture moves up */
export function translateY(pictures: Pictures, share: number): void {
  affine(pictures, [1, 0, 0, 0, 1, share * pictures.height]);
}
