// FFmpeg compiled to WebAssembly, called directly. The npm package @ffmpeg/core is GPL-2.0-or-later: it stays a package of
// its own that is loaded at run time when media are decoded, and is never bundled with or copied into this program.
import { readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Problem } from '../../../base/errors.ts';

/** What is used of a file of Emscripten's file system. */
interface StreamOps {
  read?: (stream: unknown, buffer: Int8Array, offset: number, length: number, position: number) => number;
  write?: (stream: unknown, buffer: Int8Array, offset: number, length: number) => number;
}
interface FsNode {
  stream_ops: StreamOps;
  usedBytes: number;
}
interface Core {
  readonly FS: {
    writeFile(path: string, content: Uint8Array): void;
    lookupPath(path: string): { readonly node: FsNode };
  };
  exec(...args: string[]): number;
  ffprobe(...args: string[]): number;
  reset(): void;
  setLogger(logger: (line: { readonly type: string; readonly message: string }) => void): void;
}
type CreateCore = (options: {
  locateFile: (path: string) => string;
  instantiateWasm: (
    imports: WebAssembly.Imports,
    ready: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ) => object;
}) => Promise<Core>;

/** The compiled program; threads share it. About 0.1 s. @throws Problem when the package is not installed */
export async function compileFfmpeg(): Promise<WebAssembly.Module> {
  try {
    const path = createRequire(import.meta.url).resolve('@ffmpeg/core/wasm');
    return await WebAssembly.compile(readFileSync(path));
  } catch (error) {
    throw new Problem(
      'worker-failed',
      `@ffmpeg/core, which decodes media, cannot be loaded (${String(error)}): run npm install again.`,
      { cause: error },
    );
  }
}

/** One fresh FFmpeg, to be used for one file and dropped: nothing of a file can stay behind for the next. */
export interface Ffmpeg {
  /** An empty file whose reads come from an open file of the system, which is never in memory as a whole. */
  mountInput(path: string, file: number, sizeBytes: number): void;
  /** A file whose content goes to `sink`; the bytes are only lent. */
  mountOutput(path: string, sink: (bytes: Uint8Array) => void): void;
  /** Runs `ffmpeg`. @returns its exit code and what it wrote of errors */
  exec(args: readonly string[]): { readonly code: number; readonly errors: readonly string[] };
  /** Runs `ffprobe`. @returns what it printed, and errors */
  probe(args: readonly string[]): { readonly text: string; readonly errors: readonly string[] };
}

/** About 20 ms. */
export async function openFfmpeg(module: WebAssembly.Module): Promise<Ffmpeg> {
  // The package believes that it is in a browser's worker.
  const scope = globalThis as { self?: unknown };
  scope.self ??= { location: { href: 'file:///' } };
  const create = createRequire(import.meta.url)('@ffmpeg/core') as CreateCore;
  const core = await create({
    locateFile: (path) => path,
    instantiateWasm: (imports, ready) => {
      // A failure shows itself as a time limit's end: the package has no way to be told.
      void WebAssembly.instantiate(module, imports).then((instance) => ready(instance, module));
      return {};
    },
  });
  const node = (path: string): FsNode => {
    core.FS.writeFile(path, new Uint8Array(0));
    return core.FS.lookupPath(path).node;
  };
  const run = (work: () => void): { lines: string[]; errors: string[] } => {
    const lines: string[] = [];
    const errors: string[] = [];
    core.setLogger(({ type, message }) => {
      if (type === 'stdout') lines.push(message);
      else if (message.trim() !== '' && !message.startsWith('Aborted(')) errors.push(message.trim());
    });
    core.reset();
    work();
    return { lines, errors };
  };
  return {
    mountInput(path, file, sizeBytes) {
      const mounted = node(path);
      mounted.usedBytes = sizeBytes;
      mounted.stream_ops = {
        ...mounted.stream_ops,
        read: (_stream, buffer, offset, length, position) =>
          position >= sizeBytes ? 0 : readSync(file, buffer, offset, length, position),
      };
    },
    mountOutput(path, sink) {
      const mounted = node(path);
      mounted.stream_ops = {
        ...mounted.stream_ops,
        write: (_stream, buffer, offset, length) => {
          sink(new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length));
          return length;
        },
      };
    },
    exec(args) {
      let code = -1;
      const { errors } = run(() => (code = core.exec(...args)));
      return { code, errors };
    },
    probe(args) {
      const { lines, errors } = run(() => core.ffprobe(...args));
      return { text: lines.join('\n'), errors };
    },
  };
}
