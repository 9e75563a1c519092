// How an adapter collects its samples: sorted, with unique keys, and a reason for everything left out.
import { sha256 } from '../../base/cache.ts';
import type { CorpusItem, CorpusListing, LeftOut, PictureSource, SoundSource } from './corpus.ts';

/** A sample with what it has; the rest is null or empty. */
export type PartialItem = Pick<CorpusItem, 'key' | 'source'> & Partial<CorpusItem>;

export interface ListingBuilder {
  add(item: PartialItem): void;
  leaveOut(source: string, why: string): void;
  /** Sorted by key; of samples with the same key each gets a suffix made from its source. */
  done(more?: Pick<CorpusListing, 'classes' | 'dimensions'>): CorpusListing;
}

/** Letters, digits, `_` and `-`; what is none of them becomes `_`, a slash `-`. */
export function keyOf(text: string): string {
  return text.replaceAll('/', '-').replaceAll(/[^A-Za-z0-9_-]/g, '_') || '_';
}

function fileOf(pictures: PictureSource | null, sound: SoundSource | null): string {
  const start = pictures?.kind === 'video' ? pictures.startMs : sound?.startMs;
  return start === undefined ? '' : String(start);
}

export function listingBuilder(): ListingBuilder {
  const items: CorpusItem[] = [];
  const leftOut: LeftOut[] = [];
  return {
    add(item) {
      items.push({
        pictures: null,
        sound: null,
        label: null,
        votes: null,
        dimensions: null,
        identity: null,
        fold: null,
        split: null,
        groups: {},
        ...item,
        key: keyOf(item.key),
      });
    },
    leaveOut(source, why) {
      leftOut.push({ source, why });
    },
    done(more = {}) {
      const counts = new Map<string, number>();
      for (const { key } of items) counts.set(key, (counts.get(key) ?? 0) + 1);
      const taken = new Set(counts.keys());
      const unique = items.map((item) => {
        if (counts.get(item.key) === 1) return item;
        const hash = sha256(item.source, fileOf(item.pictures, item.sound)).slice(0, 8);
        let key = `${item.key}-${hash}`;
        for (let i = 2; taken.has(key); i++) key = `${item.key}-${hash}-${String(i)}`;
        taken.add(key);
        return { ...item, key };
      });
      unique.sort((a, b) => (a.key < b.key ? -1 : 1));
      return { items: unique, leftOut, ...more };
    },
  };
}
