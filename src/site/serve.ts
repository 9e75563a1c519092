// `npm start`: the main job. Builds the page if needed, serves it, prints its address.
import { buildIfNeeded, servePage } from './page-server.ts';

const port = Number(process.env['PORT'] ?? 4173);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`PORT is "${process.env['PORT'] ?? ''}"; wanted a whole number from 0 to 65535.`);
  process.exit(1);
}
await buildIfNeeded();
const { url } = await servePage(port);
console.log(`\n  Emotion recognizer: ${url}\n  Press Ctrl-C to stop.\n`);
