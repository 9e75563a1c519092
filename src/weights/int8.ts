// Weights in eight bits: each row of a matrix (each output of a layer) in whole steps of its own scale, symmetric about zero.

/** Quantized rows and their scales: value = quantized * scale of its row. */
export interface QuantizedRows {
  readonly values: Int8Array;
  /** One for each row; 0 for a row of zeros. */
  readonly scales: Float32Array;
}

/**
 * To the nearest of 255 values, -127 to 127 steps; no value is off by more than half a step of its row.
 * @param data row-major and finite
 */
export function quantizeRows(
  data: Float32Array,
  rows: number,
): QuantizedRows & { readonly values: Int8Array<ArrayBuffer> } {
  const width = data.length / rows;
  const values = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let i = row * width; i < (row + 1) * width; i++) largest = Math.max(largest, Math.abs(data[i]!));
    scales[row] = largest / 127;
    // The scale as it is stored: a row of values too small for one becomes zeros.
    const scale = scales[row]!;
    if (scale === 0) continue;
    for (let i = row * width; i < (row + 1) * width; i++) {
      values[i] = Math.max(-127, Math.min(127, Math.round(data[i]! / scale)));
    }
  }
  return { values, scales };
}

/** The values that the quantized rows stand for. */
export function dequantizeRows({ values, scales }: QuantizedRows): Float32Array<ArrayBuffer> {
  const width = values.length / scales.length;
  const data = new Float32Array(values.length);
  for (let row = 0; row < scales.length; row++) {
    const scale = scales[row]!;
    for (let i = row * width; i < (row + 1) * width; i++) data[i] = values[i]! * scale;
  }
  return data;
}
