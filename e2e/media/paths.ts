// Where the media that the tests make lie.
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const folder = resolve(import.meta.dirname, '../../build/e2e');

/** What the fake camera shows and the fake microphone hears, over and over. */
export const cameraVideoPath = join(folder, 'camera.y4m');
export const cameraSoundPath = join(folder, 'camera.wav');

/** A recording of the demo, as browsers make them: WebM, VP8 and Opus, without a stated duration. */
export const recordingPath = join(folder, 'recording.webm');

/**
 * Clips of real faces, where the environment's CLIPS_DIR names a folder with .webm or .mp4 files: the first becomes the
 * fake camera, and all are opened as files. Without it the drawn face is used.
 */
export function clipPaths(): readonly string[] {
  const clipsDir = process.env['CLIPS_DIR'];
  if (clipsDir === undefined || clipsDir === '') return [];
  return readdirSync(clipsDir)
    .filter((name) => /\.(webm|mp4)$/.test(name))
    .sort()
    .map((name) => resolve(clipsDir, name));
}
