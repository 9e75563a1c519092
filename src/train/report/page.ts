// The page that reports are: one file that asks nothing of any server, light and dark, readable on a phone.

/** Text safe inside HTML, in attributes too. */
export function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

const style = `
:root{color-scheme:light dark;--page:#fcfcfb;--card:#fff;--ink:#0b0b0b;--soft:#52514e;--grid:#e1e0d9;
--series-0:#2a78d6;--series-1:#eb6834;--series-2:#1baf7a;--series-3:#4a3aa7;--series-4:#c2418f;--series-5:#8a6d00;--series-6:#0e7c8b;--series-7:#777}
@media (prefers-color-scheme:dark){:root{--page:#1a1a19;--card:#222221;--ink:#fff;--soft:#c3c2b7;--grid:#3a3a37;
--series-0:#3987e5;--series-1:#d95926;--series-2:#199e70;--series-3:#9085e9;--series-4:#e06bb2;--series-5:#c9a227;--series-6:#35b5c6;--series-7:#999}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1160px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:0 0 8px}
p{margin:0 0 8px}.soft{color:var(--soft)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr));gap:16px;margin-top:16px;align-items:start}
section{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:14px;min-width:0}
.grid+section,section+section{margin-top:16px}.grid section+section{margin-top:0}
figure{margin:0}svg{display:block;width:100%;max-width:540px;height:auto;margin:0 auto;font-family:inherit}
figcaption{color:var(--soft);font-size:.87rem;margin-top:6px}
.scores{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:16px 0 0}
.scores div{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:10px 14px}
dt{color:var(--soft);font-size:.87rem}dd{margin:0;font-size:1.6rem;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums}
dd small{display:block;font-size:.85rem;font-weight:400;color:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.87rem;font-variant-numeric:tabular-nums}
th,td{padding:3px 10px 3px 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:500}
summary{cursor:pointer;color:var(--soft);margin-top:8px}
.inner{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:14px}h3{font-size:.95rem;font-weight:600;margin:0}
.errors{display:grid;grid-template-columns:repeat(auto-fill,minmax(132px,1fr));gap:14px}
.errors img{display:block;width:100%;height:auto;border-radius:6px;margin-bottom:4px;background:var(--grid)}
.errors figcaption{overflow-wrap:anywhere;font-size:.82rem}.errors b{color:var(--ink)}
.facts{display:grid;grid-template-columns:minmax(90px,max-content) 1fr;gap:2px 16px;margin:0;font-size:.87rem}.facts dd{font-size:inherit;font-weight:400;line-height:1.5;overflow-wrap:anywhere}
code{font:.85rem ui-monospace,monospace;overflow-wrap:anywhere}
ul{margin:0 0 8px;padding-left:20px}
`;

/** A whole page. @param body HTML */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body><main>
${body}
</main></body>
</html>
`;
}

/** A card with a heading. @param content HTML */
export function section(heading: string, content: string): string {
  return `<section><h2>${escapeHtml(heading)}</h2>${content}</section>`;
}

/** A drawing and its words. @param svg of chart.ts @param caption text */
export function figure(svg: string, caption: string): string {
  return `<figure>${svg}${caption === '' ? '' : `<figcaption>${escapeHtml(caption)}</figcaption>`}</figure>`;
}

/** A table; the first column is text. @param rows texts */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table></div>`;
}

/** Names and what is said of each; long texts wrap. */
export function factList(facts: readonly (readonly [string, string])[]): string {
  const items = facts.map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`);
  return `<dl class="facts">${items.join('')}</dl>`;
}

/** Something folded away. @param content HTML */
export function details(summary: string, content: string): string {
  return `<details><summary>${escapeHtml(summary)}</summary>${content}</details>`;
}
