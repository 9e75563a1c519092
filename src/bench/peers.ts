// `peers`: emotion models that other browser libraries ship, and ours, on the same faces. The libraries are not installed with
// this project; the command says how to bring them.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright';
import type { Page } from 'playwright';
import sirv from 'sirv';
import { Problem } from '../base/errors.ts';
import { withTimeout } from '../base/timeout.ts';
import { emotions } from '../model/labels.ts';
import { evaluate } from '../train/commands/evaluate.ts';
import { chromiumArgs, requireChromium } from '../site/chromium.ts';
import { packageRoot } from '../site/package-root.ts';
import { readStills, selectRows } from '../train/data/stills/faces.ts';
import { scoreClassification } from '../train/scores/metrics.ts';

export interface PeersOptions {
  readonly faces: string;
  readonly split: string;
  readonly model: string;
  readonly say: (line: string) => void;
}

interface Peer {
  readonly name: string;
  readonly package: string;
  readonly version: string;
  /** Its outputs in their order, as ours are called. */
  readonly labels: readonly (typeof emotions)[number][];
}

const peers: readonly Peer[] = [
  {
    name: 'face-api',
    package: '@vladmandic/face-api',
    version: '1.7.15',
    labels: ['neutral', 'happy', 'sad', 'angry', 'fear', 'disgust', 'surprise'],
  },
  {
    name: 'Human',
    package: '@vladmandic/human',
    version: '3.3.6',
    labels: ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'],
  },
];

/** Faces of one call into the page. */
const chunk = 64;
const limitMs = 120_000;

/** What is called of the peers' bundles; they bring their types only with all of their sources. */
interface Tf {
  setWasmPaths(path: string): void;
  setBackend(name: string): Promise<boolean>;
  tensor4d(values: Float32Array, shape: [number, number, number, number]): PeerTensor;
  tensor1d(values: number[]): PeerTensor;
  mul(a: PeerTensor, b: PeerTensor | number): PeerTensor;
  sub(a: PeerTensor, b: number): PeerTensor;
  sum(a: PeerTensor, axis: number, keepDims: boolean): PeerTensor;
  unstack(a: PeerTensor): PeerTensor[];
  tidy<T>(run: () => T): T;
  loadGraphModel(url: string): Promise<{ execute(input: PeerTensor): PeerTensor }>;
  readonly image: { resizeBilinear(a: PeerTensor, size: [number, number], corners: boolean): PeerTensor };
}
interface PeerTensor {
  dataSync(): Float32Array;
}
type Predict = (gray: readonly number[], count: number, width: number, height: number) => Promise<number[][]>;

declare global {
  interface Window {
    predict: Predict;
  }
}

/** Sets `window.predict` up in the page. */
async function prepare(page: Page, peer: Peer): Promise<void> {
  await page.evaluate(async (name) => {
    const spread = (gray: readonly number[]): Float32Array =>
      Float32Array.from({ length: 3 * gray.length }, (_, i) => gray[Math.floor(i / 3)] ?? 0);
    const rowsOf = (values: Float32Array, count: number): number[][] =>
      Array.from({ length: count }, (_, i) => Array.from(values.subarray(7 * i, 7 * i + 7)));
    const start = async (tf: Tf): Promise<void> => {
      tf.setWasmPaths('/tfjs/');
      await tf.setBackend('wasm');
    };
    const bundle = (path: string): Promise<unknown> => import(/* @vite-ignore */ path);
    if (name === 'face-api') {
      interface FaceApi {
        readonly tf: Tf;
        readonly nets: {
          readonly faceExpressionNet: {
            loadFromUri(url: string): Promise<void>;
            predictExpressions(
              inputs: PeerTensor[],
            ): Promise<{ asSortedArray(): { expression: string; probability: number }[] }[]>;
          };
        };
      }
      const { tf, nets } = (await bundle('/face-api/dist/face-api.esm.js')) as FaceApi;
      await start(tf);
      await nets.faceExpressionNet.loadFromUri('/face-api/model');
      const order = ['neutral', 'happy', 'sad', 'angry', 'fearful', 'disgusted', 'surprised'];
      window.predict = async (gray, count, width, height) => {
        const faces = tf.unstack(tf.tensor4d(spread(gray), [count, height, width, 3]));
        const found = await nets.faceExpressionNet.predictExpressions(faces);
        return found.map((expressions) => {
          const sorted = expressions.asSortedArray();
          return order.map(
            (label) => sorted.find(({ expression }) => expression === label)?.probability ?? NaN,
          );
        });
      };
      return;
    }
    const { default: Human } = (await bundle('/human/dist/human.esm.js')) as {
      default: new (config: object) => { readonly tf: Tf };
    };
    const { tf } = new Human({ backend: 'wasm', wasmPath: '/tfjs/', debug: false });
    await start(tf);
    const model = await tf.loadGraphModel('/human/models/emotion.json');
    // As its src/gear/emotion.ts feeds the model: pixels 0..1, resized, to gray, to -1..1.
    window.predict = (gray, count, width, height) => {
      const rows = tf.tidy(() => {
        const faces = tf.tensor4d(
          spread(gray).map((value) => value / 255),
          [count, height, width, 3],
        );
        const resized = tf.image.resizeBilinear(faces, [64, 64], false);
        const one = tf.sum(tf.mul(resized, tf.tensor1d([0.2989, 0.587, 0.114])), 3, true);
        return rowsOf(model.execute(tf.mul(tf.sub(one, 0.5), 2)).dataSync(), count);
      });
      return Promise.resolve(rows);
    };
  }, peer.name);
}

/** Folder of an installed package. @throws Problem that says how to install it */
function folderOf({ package: name, version }: Peer): string {
  const folder = join(packageRoot, 'node_modules', name);
  const file = join(folder, 'package.json');
  const found = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
    : 'not installed';
  if (found === version) return folder;
  const wanted = peers.map((peer) => `${peer.package}@${peer.version}`).join(' ');
  throw new Problem(
    'unsupported-file',
    `${name} is ${found}, wanted ${version}: npm i --no-save --ignore-scripts ${wanted}`,
  );
}

/** Prints each contender's scores. */
export async function benchPeers({ faces, split, model, say }: PeersOptions): Promise<void> {
  const folders = new Map(peers.map((peer) => [peer.name, folderOf(peer)]));
  const stills = readStills(faces, split);
  const { rows, labels } = selectRows(stills, 'drop');
  const { widthPx, heightPx } = stills;
  const size = widthPx * heightPx;
  const wasm = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  const mounts: Readonly<Record<string, ReturnType<typeof sirv>>> = {
    tfjs: sirv(wasm),
    'face-api': sirv(folders.get('face-api') ?? ''),
    human: sirv(folders.get('Human') ?? ''),
  };
  const server = createServer((request, response) => {
    const [, mount = '', path = ''] = /^\/([\w-]+)(\/.*)$/.exec(request.url ?? '') ?? [];
    const serve = mounts[mount];
    request.url = path;
    if (serve) serve(request, response);
    else response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>peers</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({ executablePath: requireChromium(), args: [...chromiumArgs] });
  try {
    for (const peer of peers) {
      const page = await browser.newPage();
      // tsx marks functions' names with it, in the page's functions too.
      await page.addInitScript('globalThis.__name = (named) => named');
      await page.goto(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`);
      await withTimeout(prepare(page, peer), limitMs, `${peer.name} did not start`);
      const predictions: number[][] = [];
      for (let i = 0; i < rows.length; i += chunk) {
        const some = rows.slice(i, i + chunk);
        const gray = some.flatMap((row) => [...stills.data.subarray(row * size, (row + 1) * size)]);
        const found = await withTimeout(
          page.evaluate((args) => window.predict(...args), [gray, some.length, widthPx, heightPx] as [
            number[],
            number,
            number,
            number,
          ]),
          limitMs,
          `${peer.name} did not answer`,
        );
        predictions.push(
          ...found.map((row) => emotions.map((label) => row[peer.labels.indexOf(label)] ?? 0)),
        );
      }
      await page.close();
      const { war, uar, recall } = scoreClassification(predictions, labels, emotions.length);
      say(line(`${peer.name} ${peer.version}`, predictions.length, war, uar, recall));
    }
  } finally {
    await browser.close();
    server.close();
  }
  const options = { model, faces, split, pairs: false, seed: 1, threads: 2, align: 'detect' } as const;
  const ours = await evaluate(options, () => undefined);
  const recall = emotions.map((label) => ours.recall[label] ?? null);
  say(line(`ours, ${model}`, ours.n, ours.war, ours.uar, recall));
}

function line(name: string, n: number, war: number, uar: number, recall: readonly (number | null)[]): string {
  const percent = (value: number | null): string => (value === null ? '-' : (100 * value).toFixed(1));
  const each = emotions.map((label, i) => `${label} ${percent(recall[i] ?? null)}`).join(', ');
  return `${name}: n ${String(n)}, accuracy (WAR) ${percent(war)} %, UAR ${percent(uar)} %; ${each}`;
}
