// Camera and microphone: the live source. The camera is needed, the microphone is not.
import { Problem } from '../base/errors.ts';
import { withTimeout } from '../base/timeout.ts';
import { deviceProblem, insecureContextProblem } from './device-problem.ts';
import { openMicrophone } from './microphone.ts';
import type { Microphone } from './microphone.ts';
import type { Source } from './source.ts';
import { watchFrames } from './video-frames.ts';

/** A person may take their time to answer the browser's question. */
const permissionLimitMs = 120_000;
const pictureLimitMs = 10_000;

const video: MediaTrackConstraints = {
  width: { ideal: 640 },
  height: { ideal: 480 },
  frameRate: { ideal: 30 },
  facingMode: 'user',
};

/** The voice as it is: the model was trained on plain recordings, and these filters change level and timbre over time. */
const audio: MediaTrackConstraints = {
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
};

/**
 * Opens the camera and, where there is one, the microphone.
 * Clock: time 0 is the call's end; a picture's time is its capture where the browser tells it (Chrome), else its display.
 * @throws Problem `insecure-context`, `permission-denied`, `no-camera`, `device-busy` or `timeout`
 */
export async function openCamera(): Promise<Source> {
  // Absent on pages that are not secure, whatever the type says.
  if (!('mediaDevices' in navigator)) throw insecureContextProblem();
  const { stream, soundProblem: microphoneProblem } = await openDevices();
  const originMs = performance.now();
  const view = document.createElement('video');
  let microphone: Microphone | null = null;
  let soundProblem = microphoneProblem;
  const release = (): void => {
    microphone?.close();
    for (const track of stream.getTracks()) track.stop();
    view.srcObject = null;
  };
  try {
    view.muted = true;
    view.playsInline = true;
    view.srcObject = new MediaStream(stream.getVideoTracks());
    const dark =
      'The camera gives no picture: another program may be using it. Close that program and start again';
    await withTimeout(view.play(), pictureLimitMs, dark);
    const [voice] = stream.getAudioTracks();
    if (voice) {
      try {
        microphone = await openMicrophone(voice, originMs);
      } catch (error) {
        voice.stop();
        soundProblem = deviceProblem(error, 'microphone');
      }
    }
  } catch (error) {
    release();
    throw deviceProblem(error, 'camera');
  }

  const frames = watchFrames(view, (metadata) => {
    const now = performance.now();
    // Some cameras report capture times of another clock.
    const captured = metadata?.captureTime;
    return (captured !== undefined && captured <= now && now - captured < 1000 ? captured : now) - originMs;
  });
  const ended = new Promise<Problem | null>((resolve) => {
    for (const track of stream.getTracks()) {
      const device = track.kind === 'video' ? 'camera' : 'microphone';
      track.addEventListener('ended', () => {
        resolve(
          new Problem(
            'device-lost',
            `The ${device} was disconnected or taken away. Connect it and start again.`,
          ),
        );
      });
    }
  });
  return {
    kind: 'camera',
    view,
    sound: microphone?.sound ?? null,
    soundProblem,
    nowMs: () => performance.now() - originMs,
    grabFrame: () => frames.grab(),
    ended,
    durationMs: null,
    step: null,
    close() {
      frames.close();
      release();
    },
  };
}

interface Devices {
  readonly stream: MediaStream;
  /** Why the stream has no microphone; null when it has one. */
  readonly soundProblem: Problem | null;
}

/** One question for both devices; where that fails for the microphone's sake, the camera alone. */
async function openDevices(): Promise<Devices> {
  try {
    return { stream: await ask({ video, audio }), soundProblem: null };
  } catch (error) {
    if (error instanceof Problem || (isDenied(error) && !(await isMicrophoneAloneDenied()))) {
      throw deviceProblem(error, 'camera');
    }
  }
  let stream: MediaStream;
  try {
    stream = await ask({ video });
  } catch (error) {
    throw deviceProblem(error, 'camera');
  }
  try {
    const sound = await ask({ audio });
    for (const track of sound.getTracks()) stream.addTrack(track);
    return { stream, soundProblem: null };
  } catch (error) {
    return { stream, soundProblem: deviceProblem(error, 'microphone') };
  }
}

/** getUserMedia with a time limit; devices that come after it are stopped at once. */
async function ask(constraints: MediaStreamConstraints): Promise<MediaStream> {
  const asked = navigator.mediaDevices.getUserMedia(constraints);
  try {
    const what = "The browser's question for the camera was not answered: start again and allow it";
    return await withTimeout(asked, permissionLimitMs, what);
  } catch (error) {
    asked.then(
      (stream) => {
        for (const track of stream.getTracks()) track.stop();
      },
      () => undefined,
    );
    throw error;
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'NotAllowedError';
}

/** Whether only the microphone is forbidden. Browsers that do not tell count as no: nobody is asked twice. */
async function isMicrophoneAloneDenied(): Promise<boolean> {
  try {
    const query = (name: string) => navigator.permissions.query({ name: name as PermissionName });
    const [camera, microphone] = await Promise.all([query('camera'), query('microphone')]);
    return camera.state !== 'denied' && microphone.state === 'denied';
  } catch {
    return false;
  }
}
