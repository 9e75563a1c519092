// RAVDESS: 24 actors speaking (and singing). Its archives unpack to Actor_NN/MM-VC-EE-II-SS-RR-AA.mp4 or .wav: modality (01
// picture and sound, 02 picture, 03 sound), vocal channel (01 speech, 02 song), emotion, intensity, statement, repetition,
// actor. Checked against HiCMAE's saved/data/ravdess: pictures of 02, sound of 03, speech alone, labels in the order of the
// codes, and six folds of four actors (fold k tests on actors 4k-3 to 4k). Song clips (code 02) were not in that list.
import type { Corpus } from './corpus.ts';
import { checkFolder, isSound, isVideo, layoutProblem, stemOf, walk, within } from './files.ts';
import { listingBuilder } from './listing.ts';
import { choice } from './names.ts';

const classes = ['neutral', 'calm', 'happy', 'sad', 'angry', 'fear', 'disgust', 'surprise'] as const;

interface Files {
  both?: string;
  picture?: string;
  sound?: string;
}

export const ravdess: Corpus = {
  name: 'ravdess',
  about: 'RAVDESS: Actor_01 to Actor_24 with 02-01-*.mp4 (or 01-01-*.mp4) and 03-01-*.wav, at any depth',
  classes,
  dimensions: [],
  options: [{ name: 'channel', about: 'of ravdess: speech (default), song or both' }],
  list: async (folder, options) => {
    checkFolder(folder);
    const channel = choice(options, 'channel', ['speech', 'song', 'both']);
    const listing = listingBuilder();
    const clips = new Map<string, Files>();
    for (const path of walk(folder)) {
      if (!isVideo(path) && !isSound(path)) continue;
      const parts = /^(0[123])-(0[12]-0[1-8]-\d\d-\d\d-\d\d-\d\d)$/.exec(stemOf(path));
      if (!parts) {
        listing.leaveOut(within(folder, path), 'its name is not seven numbers, MM-VC-EE-II-SS-RR-AA');
        continue;
      }
      const name = parts[2] ?? '';
      const files = clips.get(name) ?? {};
      if (parts[1] === '01') files.both ??= path;
      else if (parts[1] === '02') files.picture ??= path;
      else files.sound ??= path;
      clips.set(name, files);
    }
    if (clips.size === 0) {
      throw layoutProblem(
        folder,
        'Actor_NN/02-01-*.mp4 and Actor_NN/03-01-*.wav',
        'Unpack Video_Speech_Actor_NN.zip and Audio_Speech_Actors_01-24.zip into it.',
      );
    }
    for (const [name, { both, picture, sound }] of clips) {
      const [voice = '', emotion = '', intensity = '', , , actor = ''] = name.split('-');
      const video = picture ?? both;
      const heard = sound ?? both;
      const source = within(folder, video ?? heard ?? '');
      if (channel !== 'both' && (voice === '01') !== (channel === 'speech')) {
        listing.leaveOut(source, `${voice === '01' ? 'speech' : 'song'}, and --channel is ${channel}`);
        continue;
      }
      if (Number(actor) < 1 || Number(actor) > 24) {
        listing.leaveOut(source, `actor ${actor} is not one of 01 to 24`);
        continue;
      }
      if (video === undefined) listing.leaveOut(source, 'no video of it; it is listed with its sound alone');
      if (heard === undefined)
        listing.leaveOut(source, 'no sound of it; it is listed with its pictures alone');
      listing.add({
        key: name,
        source,
        pictures: video === undefined ? null : { kind: 'video', path: video },
        sound: heard === undefined ? null : { path: heard },
        label: classes[Number(emotion) - 1] ?? null,
        identity: actor,
        fold: Math.ceil(Number(actor) / 4),
        groups: {
          sex: Number(actor) % 2 === 1 ? 'male' : 'female',
          intensity: intensity === '02' ? 'strong' : 'normal',
        },
      });
    }
    return Promise.resolve(listing.done());
  },
};
