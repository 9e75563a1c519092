import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Problem } from '../base/errors.ts';
import { fetchSource } from './fetch-source.ts';

const whole = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);

const answers: Record<string, (response: ServerResponse) => void> = {
  '/models/x/whole': (response) => {
    response.end(whole);
  },
  '/models/x/stalls': (response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('some');
  },
  '/models/x/breaks': (response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('some');
    setTimeout(() => response.destroy());
  },
  '/models/x/fails': (response) => {
    response.writeHead(503).end();
  },
};

describe('a model folder on a server', () => {
  let server: Server;
  let url: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const answer = answers[request.url ?? ''];
      if (answer) answer(response);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/models/x/`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function problemOf(path: string, folder = url): Promise<Problem> {
    try {
      await fetchSource(folder, 300).readBytes(path, () => undefined);
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
    throw new Error('it succeeded');
  }

  test('a whole file, with rising progress up to its size', async () => {
    const progress: number[] = [];
    const bytes = await fetchSource(url).readBytes('whole', (loaded) => progress.push(loaded));
    expect(Buffer.from(bytes).equals(whole)).toBe(true);
    expect(progress.at(-1)).toBe(whole.length);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });

  test('an absent file', async () => {
    const { kind, message } = await problemOf('absent');
    expect([kind, message]).toEqual([
      'model-missing',
      `${url}absent: got status 404, so the model is not on this server: copy its folder there, or name another model`,
    ]);
  });

  test('a server in trouble', async () => {
    const { kind, message } = await problemOf('fails');
    expect(kind).toBe('model-missing');
    expect(message).toContain('got status 503');
  });

  test('a connection that falls silent', async () => {
    const { kind, message } = await problemOf('stalls');
    expect(kind).toBe('timeout');
    expect(message).toContain('nothing came for 0.3 s');
  });

  test('a connection that breaks', async () => {
    const { kind, message } = await problemOf('breaks');
    expect(kind).toBe('model-missing');
    expect(message).toContain('could not be fetched');
  });

  test('no server at all', async () => {
    expect((await problemOf('x', 'http://127.0.0.1:9/')).kind).toBe('model-missing');
  });
});
