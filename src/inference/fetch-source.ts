// A model folder on a server, as the loader wants it: whole files with progress, and plain words when they do not come.
import { Problem } from '../base/errors.ts';
import type { WeightSource } from '../weights/load.ts';

/** A connection that brings nothing for this long has failed. */
const stallLimitMs = 30_000;

/**
 * @param modelUrl absolute, ending in a slash
 * @param stallMs longest silence, milliseconds
 */
export function fetchSource(modelUrl: string, stallMs = stallLimitMs): WeightSource {
  return {
    location: modelUrl,
    async readBytes(path, onProgress) {
      const url = modelUrl + path;
      const abort = new AbortController();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const alive = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          abort.abort();
        }, stallMs);
      };
      try {
        alive();
        const response = await fetch(url, { signal: abort.signal });
        if (!response.ok) throw refusal(url, response.status);
        return await readBody(response, (loadedBytes) => {
          alive();
          onProgress(loadedBytes);
        });
      } catch (error) {
        if (error instanceof Problem) throw error;
        if (abort.signal.aborted) {
          throw new Problem(
            'timeout',
            `${url}: nothing came for ${String(stallMs / 1000)} s; check the connection and start again`,
            { cause: error },
          );
        }
        const reason = error instanceof Error ? error.message : String(error);
        throw new Problem(
          'model-missing',
          `${url} could not be fetched (${reason}); check the connection and start again`,
          { cause: error },
        );
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function refusal(url: string, status: number): Problem {
  const advice =
    status === 404
      ? 'so the model is not on this server: copy its folder there, or name another model'
      : 'wanted the file: start again later, or look at the server';
  return new Problem('model-missing', `${url}: got status ${String(status)}, ${advice}`);
}

async function readBody(response: Response, onProgress: (loadedBytes: number) => void): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let loadedBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    loadedBytes += value.length;
    onProgress(loadedBytes);
  }
  const bytes = new Uint8Array(loadedBytes);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
