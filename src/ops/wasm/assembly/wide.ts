// Which build this is: build.mjs puts another value here for the wide one.

/**
 * Whether the micro-tile is made for registers of 256 bits. WebAssembly has none, but V8 can join the two halves of a row
 * (`--experimental-wasm-revectorize`, from Node 24 on); without that this build would spill its registers.
 */
export const WIDE: bool = false;
