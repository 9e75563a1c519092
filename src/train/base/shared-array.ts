// Typed arrays that every worker thread sees without copying.

export type SharedFloats = Float32Array<SharedArrayBuffer>;
export type SharedShorts = Int16Array<SharedArrayBuffer>;
export type SharedInts = Int32Array<SharedArrayBuffer>;
export type SharedBytes = Uint8Array<SharedArrayBuffer>;

export const sharedFloats = (length: number): SharedFloats =>
  new Float32Array(new SharedArrayBuffer(length * 4));
export const sharedShorts = (length: number): SharedShorts =>
  new Int16Array(new SharedArrayBuffer(length * 2));
export const sharedInts = (length: number): SharedInts => new Int32Array(new SharedArrayBuffer(length * 4));
export const sharedBytes = (length: number): SharedBytes => new Uint8Array(new SharedArrayBuffer(length));
