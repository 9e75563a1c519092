// The models that a page offers: models.json, which the build writes, read and checked.
import { Problem } from '../base/errors.ts';

/** A model of the list. */
export interface ListedModel {
  readonly name: string;
  /** Absolute URL of its folder, ending in a slash. */
  readonly url: string;
  /** Of its weights. */
  readonly bytes: number;
  /** Of one reading with face and voice. */
  readonly multiplyAdds: number;
}

/** A model's folder, or the list to choose from. */
export type ModelWish = string | ListWish;

export interface ListWish {
  /** Absolute URL of models.json. */
  readonly listUrl: string;
  /** Name of a listed model, or `auto`. */
  readonly choice: string;
}

/** The models there are, and the one to begin with. */
export interface Offer {
  /** Smallest first; empty where a folder was named. */
  readonly models: readonly ListedModel[];
  /** Of the folder to begin with, ending in a slash. */
  readonly url: string;
}

/** A server that says nothing for this long has failed. */
const limitMs = 30_000;

function isAbove0(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

/**
 * @param json `{"models": [{"name", "folder", "bytes", "multiplyAdds"}, ...]}`; folders relative to the list
 * @param listUrl absolute
 * @returns at least one, the cheapest reading first
 * @throws Problem `model-invalid`
 */
export function parseModelList(json: unknown, listUrl: string): readonly ListedModel[] {
  const refuse = (what: string): Problem =>
    new Problem('model-invalid', `${listUrl}: ${what}: build the page again, or name a model's folder`);
  const entries = (json as { readonly models?: unknown } | null)?.models;
  if (!Array.isArray(entries) || entries.length === 0)
    throw refuse('it lists no models, wanted at least one');
  const models = entries.map((entry: Readonly<Record<string, unknown>> | null, index): ListedModel => {
    const { name, folder, bytes, multiplyAdds } = entry ?? {};
    if (
      typeof name !== 'string' ||
      typeof folder !== 'string' ||
      !isAbove0(bytes) ||
      !isAbove0(multiplyAdds)
    ) {
      throw refuse(
        `models[${String(index)}] is ${JSON.stringify(entry)}, wanted name, folder, bytes and multiplyAdds`,
      );
    }
    const url = new URL(folder.endsWith('/') ? folder : `${folder}/`, listUrl).href;
    return Object.freeze({ name, url, bytes, multiplyAdds });
  });
  return Object.freeze(models.sort((a, b) => a.multiplyAdds - b.multiplyAdds));
}

const asked = new Map<string, Promise<readonly ListedModel[]>>();

/**
 * The list, asked for once and then kept.
 * @param listUrl absolute URL of models.json
 * @throws Problem `model-missing` when it does not come (the next call asks again); `model-invalid`
 */
export function fetchModelList(listUrl: string): Promise<readonly ListedModel[]> {
  const known = asked.get(listUrl);
  if (known !== undefined) return known;
  const coming = ask(listUrl);
  asked.set(listUrl, coming);
  coming.catch(() => asked.delete(listUrl));
  return coming;
}

async function ask(listUrl: string): Promise<readonly ListedModel[]> {
  let json: unknown;
  try {
    const response = await fetch(listUrl, { signal: AbortSignal.timeout(limitMs) });
    if (!response.ok) throw new Error(`status ${String(response.status)}`);
    json = await response.json();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Problem(
      'model-missing',
      `${listUrl} could not be fetched (${reason}): copy the page's models folder there, or name a model's folder`,
      { cause: error },
    );
  }
  return parseModelList(json, listUrl);
}

/**
 * What to begin with: the chosen model; for `auto` the smallest, so that nobody waits for a larger one.
 * @throws Problem `model-missing`, also when no listed model has that name; `model-invalid`
 */
export async function readOffer(
  { listUrl, choice }: ListWish,
  parts: { listModels(listUrl: string): Promise<readonly ListedModel[]> },
): Promise<Offer> {
  const models = await parts.listModels(listUrl);
  const first = choice === 'auto' ? models[0] : models.find(({ name }) => name === choice);
  if (first === undefined) {
    const names = models.map(({ name }) => name).join(', ');
    throw new Problem('model-missing', `${listUrl}: no model is named ${choice}; choose auto, ${names}`);
  }
  return { models, url: first.url };
}
