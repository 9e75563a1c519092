// A model's card for showing in the page. The page it is taken from comes with the model, which may be anybody's: only known
// elements without behavior are copied, never its HTML.

/** Copied as they are; what is none of them gives its text and its children. */
const plain = new Set(
  'p ul ol li blockquote pre code em strong s hr br thead tbody tr th td h2 h3 h4 h5 h6'.split(' '),
);

/** A fetch that brings nothing for this long has failed. */
const limitMs = 30_000;

async function ask(url: string): Promise<Response | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
    return response.ok ? response : null;
  } catch {
    return null;
  }
}

/** @param folder absolute URL of the model's folder, ending in a slash */
export function cardUrl(folder: string): string {
  return `${folder}card.html`;
}

/** The card's content, headings one level lower; null where the folder holds none. */
export async function fetchCard(folder: string): Promise<DocumentFragment | null> {
  const text = await (await ask(cardUrl(folder)))?.text();
  if (text === undefined) return null;
  // Scripts in it never run, and nothing of it is fetched.
  const main = new DOMParser().parseFromString(text, 'text/html').querySelector('main[data-model-card]');
  if (main === null) return null;
  const fragment = document.createDocumentFragment();
  fragment.append(...copies(main, folder));
  return fragment;
}

function copies(parent: Element, folder: string): Node[] {
  return [...parent.childNodes].flatMap((node) => copyOf(node, folder));
}

function copyOf(node: Node, folder: string): Node[] {
  if (node instanceof Text) return [new Text(node.data)];
  if (!(node instanceof Element) || /^(script|style|template)$/.test(node.localName)) return [];
  const children = copies(node, folder);
  const made = (tag: string): HTMLElement => {
    const element = document.createElement(tag);
    element.append(...children);
    return element;
  };
  const name = node.localName.replace(
    /^h([1-5])$/,
    (_heading, level: string) => `h${String(Number(level) + 1)}`,
  );
  if (name === 'a') return link(made('a') as HTMLAnchorElement, node, folder);
  if (name === 'img') return picture(node, folder);
  if (name === 'table') return [inScroller(made('table'))];
  if (!plain.has(name)) return children;
  const element = made(name);
  const align = node instanceof HTMLElement ? node.style.textAlign : '';
  if (/^(left|center|right)$/.test(align)) element.style.textAlign = align;
  return [element];
}

/** A wide table scrolls inside itself, by keyboard too. */
function inScroller(table: HTMLElement): HTMLElement {
  const scroller = document.createElement('div');
  scroller.className = 'table';
  scroller.tabIndex = 0;
  scroller.setAttribute('role', 'region');
  scroller.setAttribute('aria-label', 'Table');
  scroller.append(table);
  return scroller;
}

function parse(address: string, base: string): URL | null {
  return URL.canParse(address, base) ? new URL(address, base) : null;
}

function link(anchor: HTMLAnchorElement, from: Element, folder: string): Node[] {
  const url = parse(from.getAttribute('href') ?? '', folder);
  if (url === null || !/^https?:$/.test(url.protocol)) return [...anchor.childNodes];
  anchor.href = url.href;
  anchor.target = '_blank';
  anchor.rel = 'noopener noreferrer';
  return [anchor];
}

function picture(from: Element, folder: string): Node[] {
  const alt = from.getAttribute('alt') ?? '';
  const url = parse(from.getAttribute('src') ?? '', folder);
  // Only the model's own pictures: a card must not call others.
  if (url?.href.startsWith(folder) !== true) return [new Text(alt)];
  const image = new Image();
  image.alt = alt;
  image.src = url.href;
  return [image];
}

/** A fact of the manifest: what, and what it holds. */
export type Fact = readonly [string, string];

/** What the manifest tells where there is no card; null when there is no manifest either. */
export async function fetchFacts(folder: string): Promise<readonly Fact[] | null> {
  try {
    const manifest: unknown = await (await ask(`${folder}manifest.json`))?.json();
    return factsOf(manifest as Parameters<typeof factsOf>[0]);
  } catch {
    return null;
  }
}

function factsOf(
  manifest:
    | {
        readonly name?: unknown;
        readonly labels?: unknown;
        readonly provenance?: Readonly<Record<string, unknown>>;
      }
    | null
    | undefined,
): readonly Fact[] | null {
  if (manifest == null) return null;
  const { name, labels, provenance } = manifest;
  return [
    ['Name', String(name)],
    ['Labels', Array.isArray(labels) ? labels.join(', ') : '–'],
    ...Object.entries(provenance ?? {}).map(([key, value]): Fact => [key, String(value)]),
  ];
}
