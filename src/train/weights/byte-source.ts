// A file as a source of bytes that are read where they are needed: a checkpoint with an optimizer is three times its weights.
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { Problem } from '../../base/errors.ts';
import type { ByteSource } from '../../weights/zip.ts';

/** The system's own limit of one read. */
const maxReadBytes = 2 ** 30;

/**
 * Opens a file for `use` and closes it.
 * @throws Problem `unsupported-file` when it cannot be opened, or ends earlier than it said
 */
export async function withFile<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const file = await open(path, 'r').catch((error: unknown) => {
    const message = `${path} cannot be read (${error instanceof Error ? error.message : String(error)}); wanted a file of weights`;
    throw new Problem('unsupported-file', message, { cause: error });
  });
  try {
    const { size } = await file.stat();
    return await use({ name: path, size, read: (offset, length) => readAll(file, path, offset, length) });
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle, path: string, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, maxReadBytes), offset + done);
    if (bytesRead === 0)
      throw new Problem('unsupported-file', `${path} became shorter while it was read; try again`);
    done += bytesRead;
  }
  return bytes;
}
