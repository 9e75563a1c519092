// `npm run golden -- [DIR] [--backend cpu|wasm|webgpu] [--only NAME] [--half]`: the code against fixtures of the official one.
import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command, Option } from 'commander';
import { Problem, toProblem } from '../base/errors.ts';
import { startBackend } from '../train/base/backend.ts';
import { useBackend } from './backends.ts';
import { openGoldenBrowser } from './golden-browser.ts';
import { holds } from './golden.ts';
import type { Comparison, GoldenCheck } from './golden.ts';

interface Options {
  readonly backend: 'cpu' | 'wasm' | 'webgpu';
  readonly only?: string;
  readonly half?: boolean;
}

interface Outcome {
  readonly fileName: string;
  readonly comparisons: readonly Comparison[];
  /** Set when the check could not be run to its end. */
  readonly failure: string | null;
  readonly seconds: number;
}

/** Every `*Check` that a module of checks/ exports. */
async function loadChecks(): Promise<GoldenCheck[]> {
  const folder = join(import.meta.dirname, 'checks');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const checks: GoldenCheck[] = [];
  for (const file of files.sort()) {
    const module = (await import(`./checks/${file}`)) as Readonly<Record<string, unknown>>;
    const found = Object.entries(module).filter(([name]) => name.endsWith('Check'));
    if (found.length === 0) throw new Error(`internal: checks/${file} exports no check`);
    checks.push(...found.map(([, check]) => check as GoldenCheck));
  }
  return checks;
}

/** Starts a backend in Node, wasm as the trainer does. @returns its kernels, in words */
async function start(backend: Options['backend']): Promise<string> {
  if (backend === 'wasm') return startBackend();
  if (backend === 'cpu') await useBackend('cpu');
  return '';
}

async function listFixtures(folder: string, only: string | undefined): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new Problem(
      'unsupported-file',
      `cannot read the folder ${folder} (${error instanceof Error ? error.message : String(error)}); give a folder of fixtures`,
    );
  });
  const wanted = only?.replace(/\.(json|pth)$/, '');
  const checkpoints = names.includes('checkpoints') ? await readdir(join(folder, 'checkpoints')) : [];
  const fixtures = [
    ...names.filter((name) => name.endsWith('.json')).sort(),
    ...checkpoints
      .filter((name) => /^(finetune|pretrain)_.*\.pth$/.test(name))
      .sort()
      .map((name) => `checkpoints/${name}`),
  ];
  return fixtures.filter(
    (name) => wanted === undefined || name.replace(/^checkpoints\/|\.(json|pth)$/g, '') === wanted,
  );
}

/** A fixture's JSON; of a checkpoint its path and the fixture whose name its own begins with. */
async function readFixture(folder: string, fileName: string): Promise<unknown> {
  if (!fileName.endsWith('.pth')) return readJson(join(folder, fileName));
  const checkpoint = basename(fileName, '.pth');
  const [model] = (await readdir(folder))
    .filter((name) => name.endsWith('.json') && `${checkpoint}_`.startsWith(`${basename(name, '.json')}_`))
    .sort((a, b) => b.length - a.length);
  if (model === undefined) {
    throw new Problem('unsupported-file', `has no fixture ${checkpoint}.json beside its folder`);
  }
  return { path: join(folder, fileName), fixture: await readJson(join(folder, model)) };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    throw new Problem('unsupported-file', `cannot be read as JSON (${String(error)})`, {
      cause: error,
    });
  }
}

async function runOne(folder: string, fileName: string, run: GoldenCheck['run']): Promise<Outcome> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    return {
      fileName,
      comparisons: await run(await readFixture(folder, fileName)),
      failure: null,
      seconds: seconds(),
    };
  } catch (error) {
    return { fileName, comparisons: [], failure: toProblem(error).message, seconds: seconds() };
  }
}

const number = (x: number): string => (Number.isFinite(x) ? x.toExponential(2) : String(x));

/** How much of its tolerance a comparison used; above 1 is a miss, and what cannot be compared is worst of all. */
function strain({ error, tolerance }: Comparison): number {
  if (error === 0) return 0;
  return Number.isNaN(error) ? Infinity : error / tolerance;
}

function printRow(cells: readonly string[]): void {
  const widths = [30, 9, 11, 11, 9];
  console.log(
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Prints a fixture's row and its misses. @returns whether it passed */
function report({ fileName, comparisons, failure, seconds }: Outcome): boolean {
  const fixture = fileName.replace(/\.json$/, '').replace(/^checkpoints\//, '');
  const time = `${seconds.toFixed(1)} s`;
  if (failure !== null || comparisons.length === 0) {
    printRow([fixture, '0', '-', '-', 'FAILED', time, failure ?? 'nothing was compared']);
    return false;
  }
  const worst = comparisons.reduce((a, b) => (strain(b) > strain(a) ? b : a));
  const misses = comparisons.filter((comparison) => !holds(comparison));
  printRow([
    fixture,
    String(comparisons.length),
    number(worst.error),
    number(worst.tolerance),
    misses.length === 0 ? 'ok' : 'MISSED',
    time.padEnd(7),
    worst.tensor,
  ]);
  for (const { tensor, error, tolerance } of misses.slice(0, 20)) {
    console.log(`    missed: ${tensor}: error ${number(error)}, tolerance ${number(tolerance)}`);
  }
  if (misses.length > 20) console.log(`    ... and ${String(misses.length - 20)} more misses`);
  return misses.length === 0;
}

async function main(folder: string, { backend, only, half = false }: Options): Promise<boolean> {
  if (half && backend !== 'webgpu') {
    throw new Problem('unsupported-file', '--half is for --backend webgpu: only it has 16-bit products');
  }
  const fileNames = await listFixtures(folder, only);
  const checks = await loadChecks();
  const leftOut: string[] = [];
  const planned: { readonly fileName: string; readonly check: GoldenCheck }[] = [];
  for (const fileName of fileNames) {
    const check = checks.find((one) => one.covers(fileName));
    if (check === undefined) leftOut.push(`${fileName} (no check)`);
    else if (backend === 'webgpu' && !/^(finetune|pretrain)_/.test(fileName))
      leftOut.push(`${fileName} (not for webgpu)`);
    else if (backend === 'webgpu' && only === undefined && !fileName.includes('micro')) {
      leftOut.push(`${fileName} (large: name it with --only)`);
    } else planned.push({ fileName, check });
  }

  const kernels = planned.length > 0 ? await start(backend) : '';
  console.log(`fixtures in ${folder} on ${backend}${kernels === '' ? '' : ` (${kernels})`}`);
  const header = [
    'fixture',
    'tensors',
    'worst error',
    'tolerance',
    'ok',
    'time   ',
    'worst tensor (of its tolerance)',
  ];
  printRow(header);
  let passed = planned.length > 0;
  if (backend === 'webgpu' && planned.length > 0) {
    const browser = await openGoldenBrowser(half);
    try {
      for (const { fileName } of planned) {
        const outcome = await runOne(folder, fileName, (fixture) => browser.run(fileName, fixture));
        passed = report(outcome) && passed;
      }
    } finally {
      await browser.close();
    }
  } else if (backend !== 'webgpu') {
    for (const { fileName, check } of planned) {
      passed = report(await runOne(folder, fileName, (fixture) => check.run(fixture))) && passed;
    }
  }
  if (leftOut.length > 0) console.log(`left out: ${leftOut.join(', ')}`);
  if (planned.length === 0) {
    const wanted = only === undefined ? 'fixtures that a check covers' : `a covered fixture named ${only}`;
    console.error(
      `nothing was compared: ${folder} has ${String(fileNames.length)} matching .json files; wanted ${wanted}`,
    );
  }
  return passed;
}

const command = new Command('golden')
  .description(
    "compare this project's numbers with fixtures of the official HiCMAE code; exits 1 on any miss",
  )
  .argument('[dir]', 'folder of fixtures', join(import.meta.dirname, 'golden'))
  .addOption(
    new Option('--backend <name>', 'where tensors are computed')
      .choices(['cpu', 'wasm', 'webgpu'])
      .default('wasm'),
  )
  .option('--only <name>', 'one fixture or checkpoint, with or without its ending')
  .option(
    '--half',
    "webgpu's products in 16-bit floats: prints how far they are off (and misses the tolerances)",
  )
  .action(async (folder: string, options: Options) => {
    const passed = await main(folder, options).catch((error: unknown) => {
      console.error(`golden: ${toProblem(error).message}`);
      return false;
    });
    process.exitCode = passed ? 0 : 1;
  });

await command.parseAsync();
