// `npm start`: the main job. Builds the page if needed, serves it, prints its address.
import { buildIfNeeded, servePage } from './page-server.ts';

const port = Number(process.env['PORT'] ?? 4173);
await buildIfNeeded();
const { url } = await servePage(port);
console.log(`\n  Emotion recognizer: ${url}\n  Press Ctrl-C to stop.\n`);
