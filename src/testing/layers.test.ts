// The house's arrows (src/README.md) as data: a broken one fails here.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '..');

/** Folder -> folders it may import values from; `inference/client` names one file. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  bench: [
    'bench/page',
    'train',
    'face-points',
    'site',
    'inference',
    'model',
    'weights',
    'clip',
    'ops',
    'ops/webgpu',
    'ops/wasm',
    'base',
  ],
  'bench/page': ['inference', 'model', 'weights', 'clip', 'ops', 'ops/webgpu', 'ops/wasm', 'base'],
  app: ['elements', 'base'],
  elements: ['live', 'base'],
  live: ['demo', 'capture', 'inference/client', 'inference/protocol', 'clip', 'base'],
  demo: ['clip', 'base'],
  train: ['face-points', 'site', 'model', 'weights', 'clip', 'ops', 'ops/webgpu', 'ops/wasm', 'base'],
  'face-points': ['capture', 'site', 'clip', 'base'],
  site: ['model', 'weights', 'base'],
  capture: ['clip', 'base'],
  inference: ['model', 'weights', 'clip', 'ops/webgpu', 'ops/wasm', 'base'],
  weights: ['model', 'base'],
  model: ['clip', 'ops', 'base'],
  'ops/webgpu': ['ops', 'base'],
  'ops/wasm': ['ops', 'base'],
  ops: ['base'],
  clip: ['base'],
  base: [],
};

/** From the top of the house down: a type may be imported from any level below. */
const levels = Object.keys(arrows);

/** Packages beside the always-allowed none; a prefix ending in `:` or `/` covers what it begins. */
const packages: Readonly<Record<string, readonly string[]>> = {
  bench: [
    'node:',
    'playwright',
    'vite',
    'commander',
    'sirv',
    '@tensorflow/tfjs-core',
    '@tensorflow/tfjs-backend-wasm',
  ],
  // Its workers run the peers, so they alone name the peers' packages outside of the backend files.
  'bench/page': [
    'onnxruntime-web',
    '@tensorflow/tfjs-core',
    '@tensorflow/tfjs-backend-wasm',
    '@tensorflow/tfjs-backend-webgpu',
  ],
  app: ['lit'],
  elements: ['lit'],
  live: [],
  demo: [],
  capture: ['@mediapipe/tasks-vision'],
  inference: ['@tensorflow/tfjs-core'],
  'face-points': ['node:', 'playwright'],
  site: [
    'node:',
    'vite',
    'playwright',
    'flatbuffers',
    'sirv',
    'markdown-it',
    'vite-plugin-static-copy',
    '@mediapipe/tasks-vision',
  ],
  train: [
    'node:',
    'playwright',
    'commander',
    'pbf',
    'webgpu',
    'ogg-opus-decoder',
    'sharp',
    '@ffmpeg/core',
    'tar-stream',
    'echarts',
    'cli-progress',
    '@tensorflow/tfjs-core',
  ],
  weights: ['@tensorflow/tfjs-core'],
  model: ['@tensorflow/tfjs-core'],
  'ops/webgpu': ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-webgpu'],
  'ops/wasm': ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu'],
  ops: ['@tensorflow/tfjs-core'],
  clip: ['fft.js'],
  base: [],
};

/** Backend packages are named in these files alone, besides ops/webgpu and ops/wasm. */
const backendFiles = ['inference/backend.ts', 'train/base/backend.ts'];

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function sourceFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .filter(
      (path) =>
        !/\.(test|bench)\.ts$/.test(path) && !path.startsWith('testing/') && !path.includes('assembly/'),
    );
}

function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(join(root, file), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      const clause = ts.isImportDeclaration(node) ? node.importClause : undefined;
      const typeOnly = ts.isExportDeclaration(node)
        ? node.isTypeOnly
        : clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ file, target: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly });
    } else if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments[0] &&
      ts.isStringLiteral(node.arguments[0])
    ) {
      found.push({ file, target: node.arguments[0].text, typeOnly: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The room of a path inside src: `ops/wasm` before `ops`. */
function roomOf(path: string): string {
  return levels.filter((room) => path.startsWith(`${room}/`)).sort((a, b) => b.length - a.length)[0] ?? '';
}

function complaint({ file, target, typeOnly }: Import): string | null {
  const room = roomOf(file);
  if (!room) return `${file} is in no room of the house`;
  if (!target.startsWith('.')) {
    const name = target;
    const allowed = (packages[room] ?? []).some(
      (entry) => name === entry || name.startsWith(entry.endsWith(':') ? entry : `${entry}/`),
    );
    if (allowed || (name.startsWith('@tensorflow/tfjs-backend') && backendFiles.includes(file))) return null;
    return `${file} imports the package ${name}, which ${room} may not`;
  }
  const path = relative(root, resolve(root, dirname(file), target.split('?')[0] ?? ''));
  const targetRoom = roomOf(path);
  if (targetRoom === room) return null;
  const allowed = (arrows[room] ?? []).some((entry) => entry === targetRoom || path === `${entry}.ts`);
  const down = typeOnly && levels.indexOf(targetRoom) > levels.indexOf(room);
  return allowed || down ? null : `${file} imports ${path}: ${room} may not import ${targetRoom || 'that'}`;
}

describe('layers', () => {
  const imports = sourceFiles().flatMap(importsOf);

  it('sees the imports of the house', () => {
    expect(imports).toContainEqual({ file: 'live/steps.ts', target: './state.ts', typeOnly: true });
    expect(imports).toContainEqual({ file: 'live/parts.ts', target: '../demo/demo.ts', typeOnly: false });
    expect(complaint({ file: 'base/x.ts', target: '../clip/spec.ts', typeOnly: false })).not.toBeNull();
    expect(complaint({ file: 'model/x.ts', target: 'node:fs', typeOnly: false })).not.toBeNull();
    expect(
      complaint({ file: 'elements/x.ts', target: '../inference/protocol.ts', typeOnly: true }),
    ).toBeNull();
    expect(complaint({ file: 'clip/x.ts', target: '../model/config.ts', typeOnly: true })).not.toBeNull();
    expect(complaint({ file: 'bench/page/x.ts', target: 'node:fs', typeOnly: false })).not.toBeNull();
    expect(
      complaint({ file: 'bench/page/x.ts', target: '../../train/weights/onnx.ts', typeOnly: false }),
    ).not.toBeNull();
  });

  it('follows the arrows', () => {
    expect(imports.map(complaint).filter((line) => line !== null)).toEqual([]);
  });

  it('has no cycles, of types neither', () => {
    const graph = new Map<string, string[]>();
    for (const { file, target } of imports) {
      if (!target.startsWith('.')) continue;
      const path = relative(root, resolve(root, dirname(file), target.split('?')[0] ?? ''));
      graph.set(file, [...(graph.get(file) ?? []), path]);
    }
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (file: string, trail: readonly string[]): void => {
      if (trail.includes(file)) {
        cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
        return;
      }
      if (done.has(file)) return;
      for (const next of graph.get(file) ?? []) walk(next, [...trail, file]);
      done.add(file);
    };
    for (const file of graph.keys()) walk(file, []);
    expect(cycles).toEqual([]);
  });
});
