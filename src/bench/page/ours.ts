// The product's own path: the backend as the page's worker chooses it.
import { chooseBackend } from '../../inference/backend.ts';
import { modelContender } from './model-run.ts';
import { serveContender } from './serve.ts';

serveContender(
  modelContender(async ({ backend, threads }) => (await chooseBackend(backend, threads)).reason),
);
