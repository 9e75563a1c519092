// IEMOCAP: ten actors in five sessions. SessionN/dialog/EmoEvaluation/Ses0Nx_*.txt has, for each utterance,
// `[6.2901 - 8.2357]  Ses01F_impro01_F000  neu  [2.5000, 2.5000, 2.5000]` (valence, activation, dominance) and the raters'
// lines; SessionN/dialog/avi/DivX/Ses0Nx_*.avi shows both actors side by side; SessionN/sentences/wav has the utterances.
// Checked against public loaders (label lines, order of the three values, excited merged into happy, 5,531 utterances) and
// three independent cropping scripts, which agree on the side: the actor whose letter the recording's name has (Ses01F: F)
// is on the left, the other on the right. The order of HiCMAE's classes is not published; ours is by name.
import { basename, join } from 'node:path';
import { linesOf, readText } from '../../base/csv.ts';
import type { Corpus, CorpusListing, SoundSource } from './corpus.ts';
import { checkFolder, entriesOf, firstThere, isSound, layoutProblem, within } from './files.ts';
import { listingBuilder } from './listing.ts';
import { choice, numberIn, sexNamed, values } from './names.ts';

const classes = ['angry', 'happy', 'neutral', 'sad'] as const;
const codes: ReadonlyMap<string, string> = new Map([
  ['ang', 'angry'],
  ['hap', 'happy'],
  ['exc', 'happy'],
  ['neu', 'neutral'],
  ['sad', 'sad'],
]);
/** The raters' words, by our classes; others have no place in them. */
const words: ReadonlyMap<string, string> = new Map([
  ['anger', 'angry'],
  ['happiness', 'happy'],
  ['excited', 'happy'],
  ['neutral state', 'neutral'],
  ['neutral', 'neutral'],
  ['sadness', 'sad'],
]);

interface Utterance {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly code: string;
  readonly dimensions: Record<string, number> | null;
  readonly votes: Record<string, number>;
}

function readUtterances(path: string): Utterance[] {
  const utterances: Utterance[] = [];
  for (const line of linesOf(readText(path))) {
    const head = /^\[\s*([\d.]+)\s*-\s*([\d.]+)\s*\]\s+(\S+)\s+(\w+)\s+\[([^\]]*)\]/.exec(line.trim());
    if (head) {
      const [valence, arousal, dominance] = (head[5] ?? '').split(',').map(numberIn);
      utterances.push({
        name: head[3] ?? '',
        startMs: Math.round(Number(head[1]) * 1000),
        endMs: Math.round(Number(head[2]) * 1000),
        code: head[4] ?? '',
        dimensions: values({ valence, arousal, dominance }),
        votes: {},
      });
      continue;
    }
    // C-E are raters; C-F and C-M are the actors' own judgement.
    const rater = /^C-E\w*:\s*([^(]*)/.exec(line.trim());
    const votes = utterances.at(-1)?.votes;
    if (!rater || !votes) continue;
    for (const word of (rater[1] ?? '').split(';')) {
      const label = words.get(word.trim().toLowerCase());
      if (label !== undefined) votes[label] = (votes[label] ?? 0) + 1;
    }
  }
  return utterances;
}

/** The utterance's own file, or its part of the dialog's sound, or of the video's. */
function soundOf(
  session: string,
  dialog: string,
  sentences: ReadonlySet<string>,
  { name, startMs, endMs }: Utterance,
  video: string | undefined,
): SoundSource | null {
  if (sentences.has(`${name}.wav`)) return { path: join(session, 'sentences', 'wav', dialog, `${name}.wav`) };
  const whole = firstThere(session, [`dialog/wav/${dialog}.wav`]) ?? video;
  return whole === undefined ? null : { path: whole, startMs, endMs };
}

function list(folder: string, others: string): CorpusListing {
  const listing = listingBuilder();
  const sessions = entriesOf(folder).folders.filter((name) => /^Session[1-5]$/.test(name));
  if (sessions.length === 0) {
    throw layoutProblem(folder, 'Session1 to Session5', 'Give the folder IEMOCAP_full_release.');
  }
  for (let n = 1; n <= 5; n++) {
    const name = `Session${String(n)}`;
    if (!sessions.includes(name)) listing.leaveOut(name, 'not there');
  }
  for (const sessionName of sessions) {
    const session = join(folder, sessionName);
    const evaluations = join(session, 'dialog', 'EmoEvaluation');
    const texts = entriesOf(evaluations).files.filter((name) => /^Ses0[1-5][FM]_.*\.txt$/.test(name));
    if (texts.length === 0) {
      throw layoutProblem(
        evaluations,
        'the label files Ses0NF_*.txt and Ses0NM_*.txt',
        `Unpack dialog/EmoEvaluation of ${sessionName}.`,
      );
    }
    for (const text of texts) {
      const dialog = basename(text, '.txt');
      const video = firstThere(session, [
        `dialog/avi/DivX/${dialog}.avi`,
        `dialog/avi/${dialog}.avi`,
        `dialog/avi/DivX/${dialog}.mp4`,
      ]);
      const sentences = new Set(entriesOf(join(session, 'sentences', 'wav', dialog)).files);
      const utterances = readUtterances(join(evaluations, text));
      if (video === undefined)
        listing.leaveOut(
          `${sessionName}/dialog/avi/DivX/${dialog}.avi`,
          'not there; its utterances are listed without pictures',
        );
      for (const utterance of utterances) {
        const actor = /_([FM])\w*$/.exec(utterance.name)?.[1];
        const label = codes.get(utterance.code) ?? null;
        const sound = soundOf(session, dialog, sentences, utterance, video);
        if (actor === undefined || utterance.endMs <= utterance.startMs) {
          listing.leaveOut(
            utterance.name,
            'its name does not end in _F or _M and a number, or its times are empty',
          );
        } else if (label === null && others === 'drop') {
          listing.leaveOut(utterance.name, `label ${utterance.code} is none of ang, hap, exc, neu, sad`);
        } else if (video === undefined && sound === null) {
          listing.leaveOut(utterance.name, `no video and no sound of ${dialog}`);
        } else {
          const { startMs, endMs } = utterance;
          const left = actor === dialog.charAt(5);
          listing.add({
            key: utterance.name,
            source: within(folder, video ?? sound?.path ?? ''),
            pictures:
              video === undefined
                ? null
                : {
                    kind: 'video',
                    path: video,
                    startMs,
                    endMs,
                    region: { x: left ? 0 : 0.5, y: 0, width: 0.5, height: 1 },
                  },
            sound,
            label,
            votes: Object.keys(utterance.votes).length > 0 ? utterance.votes : null,
            dimensions: utterance.dimensions,
            identity: `Ses0${sessionName.slice(-1)}_${actor}`,
            fold: Number(sessionName.slice(-1)),
            groups: { sex: sexNamed(actor), scene: dialog.includes('impro') ? 'improvised' : 'scripted' },
          });
        }
      }
      const named = new Set(utterances.map(({ name }) => `${name}.wav`));
      for (const file of sentences) {
        if (isSound(file) && !named.has(file))
          listing.leaveOut(`${sessionName}/sentences/wav/${dialog}/${file}`, `no line in ${text}`);
      }
    }
  }
  return listing.done();
}

export const iemocap: Corpus = {
  name: 'iemocap',
  about:
    'IEMOCAP_full_release: Session1 to Session5 with dialog/EmoEvaluation, dialog/avi/DivX, sentences/wav',
  classes,
  dimensions: ['valence', 'arousal', 'dominance'],
  options: [
    {
      name: 'others',
      about:
        'of iemocap: utterances with other labels (frustrated, no agreement, ...): drop (default) or keep, without a label',
    },
  ],
  list: async (folder, options) => {
    checkFolder(folder);
    return Promise.resolve(list(folder, choice(options, 'others', ['drop', 'keep'])));
  },
};
