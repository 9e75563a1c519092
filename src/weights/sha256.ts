// Knowing that a file arrived whole, by the platform's own hash.
import { Problem } from '../base/errors.ts';

/**
 * @returns SHA-256 in lower-case hexadecimal
 * @throws Problem `insecure-context` where the browser offers no cryptography
 */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // Typed as always there, but browsers hide it from pages that are not secure.
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) {
    throw new Problem(
      'insecure-context',
      'The model cannot be verified because this page is not secure: open it by https or on localhost',
    );
  }
  const digest = await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
