// A model's README.md as a page: models/NAME/card.html, made when the page is built, so that the page ships no Markdown
// parser. <model-card> shows the same file's <main> in the page.
import MarkdownIt from 'markdown-it';

/** Of the page alone; where <model-card> shows the card, its own styles apply. */
const style = `
:root { color-scheme: light dark; }
body { max-width: 52rem; margin: 0 auto; padding: clamp(1rem, 3vw, 2.5rem) clamp(0.75rem, 3vw, 2.5rem);
  background: light-dark(#ffffff, #1b1e24); color: light-dark(#1c2026, #e9ebef); line-height: 1.5;
  font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif; overflow-wrap: break-word; }
a { color: light-dark(#2f5fd0, #8fb0ff); }
.table, pre { overflow-x: auto; }
.table:focus-visible, pre:focus-visible { outline: 3px solid light-dark(#2f5fd0, #8fb0ff); }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.6rem; border: 1px solid light-dark(#dcdfe5, #343943); text-align: left; vertical-align: top; overflow-wrap: normal; }
td { min-width: 3rem; }
code, pre { border-radius: 0.3rem; background: light-dark(#f1f2f5, #12141a); font-size: 0.875em; }
code { padding: 0.1em 0.3em; }
pre { padding: 0.75rem; }
pre code { padding: 0; }
img { max-width: 100%; height: auto; }
`;

/** A link or picture that the model's folder itself holds, as it is served: no folder above it, no other site. */
const inFolder = /^[\w-][\w.-]*$/;

/**
 * What the page can follow: other sites and the folder's own files. Other links, for example into the repository's docs,
 * would lead nowhere where only the model is served: their text stays.
 */
function followable(address: string): boolean {
  return /^https?:\/\//i.test(address) || inFolder.test(address);
}

function parser() {
  // Raw HTML is shown as text.
  const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });
  markdown.core.ruler.push('links-of-a-card', (state) => {
    for (const { children } of state.tokens) {
      if (children === null) continue;
      const kept: boolean[] = [];
      for (const token of children) {
        if (token.type === 'link_open') {
          const follow = followable(String(token.attrGet('href') ?? ''));
          kept.push(follow);
          token.hidden = !follow;
          if (follow) {
            token.attrSet('target', '_blank');
            token.attrSet('rel', 'noopener noreferrer');
          }
        } else if (token.type === 'link_close') token.hidden = kept.pop() === false;
      }
    }
  });
  const { rules } = markdown.renderer;
  const plain = rules.image;
  rules.image = (tokens, at, options, env, self) => {
    const token = tokens[at];
    if (token === undefined || plain === undefined) return '';
    if (inFolder.test(String(token.attrGet('src') ?? ''))) return plain(tokens, at, options, env, self);
    return markdown.utils.escapeHtml(token.content);
  };
  for (const tag of ['link_open', 'link_close'] as const) {
    rules[tag] = (tokens, at, options, _env, self) =>
      tokens[at]?.hidden === true ? '' : self.renderToken(tokens, at, options);
  }
  // A wide table scrolls inside itself, by keyboard too.
  rules.table_open = () => '<div class="table" role="region" aria-label="Table" tabindex="0"><table>\n';
  rules.table_close = () => '</table></div>\n';
  return markdown;
}

/**
 * @param text the model's README.md
 * @param name the model's
 * @returns a whole page without scripts; the card itself is its `main[data-model-card]`
 */
export function modelCardPage(text: string, name: string): string {
  const markdown = parser();
  const title = markdown.utils.escapeHtml(`Model card: ${name}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main data-model-card>
${markdown.render(text)}</main>
</body>
</html>
`;
}
