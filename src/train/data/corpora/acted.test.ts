// Corpora of actors, each on a small tree in its own layout, and on broken ones.
import { afterAll, describe, expect, test } from 'vitest';
import { empty, madeTrees } from '../../../testing/made-tree.ts';
import { corpora, corpusNamed } from './all.ts';
import type { CorpusListing } from './corpus.ts';

const trees = madeTrees();
afterAll(() => trees.close());

const reasons = ({ leftOut }: CorpusListing): string[] =>
  leftOut.map(({ source, why }) => `${source}: ${why}`);

test('corpora have names of their own, and one that is not there is named with all', () => {
  expect(new Set(corpora.map(({ name }) => name)).size).toBe(corpora.length);
  expect(corpora).toHaveLength(13);
  expect(() => corpusNamed('cremad')).toThrow('There is no corpus "cremad"; wanted one of crema-d, ravdess');
});

test.each(corpora.map((corpus) => [corpus.name, corpus] as const))(
  '%s says what it looked for, in a missing folder and in one of another kind',
  async (name, corpus) => {
    const folder = trees.tree(`other-${name}`, { 'notes.md': 'nothing of it' });
    await expect(corpus.list(`${folder}/none`, {})).rejects.toThrow('/none is not there');
    await expect(corpus.list(folder, {})).rejects.toThrow(/Looked for .* there is notes\.md\. /);
  },
);

describe('CREMA-D', () => {
  const votes = '"","A","D","F","H","N","S","fileName","numResponses"\n';
  const full = {
    ...empty(
      'AudioWAV/1001_DFA_ANG_XX.wav',
      'AudioWAV/1091_IEO_HAP_HI.wav',
      'AudioWAV/1076_MTI_NEU_XX.wav',
      'AudioWAV/1019_IEO_SUR_LO.wav',
      'VideoFlash/1001_DFA_ANG_XX.flv',
      'VideoFlash/1036_TSI_SAD_XX.flv',
      'VideoFlash/1076_MTI_NEU_XX.flv',
    ),
    'VideoDemographics.csv':
      '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n1091,29,"Female","Asian","Hispanic"\n',
    'processedResults/tabulatedVotes.csv':
      votes +
      '"100001",9,0,0,0,1,0,"1001_DFA_ANG_XX",10\n"200001",1,9,0,0,0,0,"1001_DFA_ANG_XX",10\n"300001",6,2,0,0,0,0,"1001_DFA_ANG_XX",8\n"300002",1,0,0,0,0,0,"1002_DFA_ANG_XX",1\n',
  };

  test('the repository: folds by actor, votes of those who saw and heard, what is missing is told', async () => {
    const folder = trees.tree('crema', full);
    const listing = await corpusNamed('crema-d').list(folder, {});
    expect(listing.items.map(({ key, fold }) => [key, fold])).toEqual([
      ['1001_DFA_ANG_XX', 1],
      ['1036_TSI_SAD_XX', 2],
      ['1076_MTI_NEU_XX', null],
      ['1091_IEO_HAP_HI', 5],
    ]);
    expect(listing.items[0]).toMatchObject({
      source: 'VideoFlash/1001_DFA_ANG_XX.flv',
      pictures: { kind: 'video', path: `${folder}/VideoFlash/1001_DFA_ANG_XX.flv` },
      sound: { path: `${folder}/AudioWAV/1001_DFA_ANG_XX.wav` },
      label: 'angry',
      votes: { angry: 6, disgust: 2 },
      identity: '1001',
      groups: { sex: 'male', age: '50-59', race: 'caucasian', ethnicity: 'not hispanic' },
    });
    expect(listing.items[1]?.sound?.path).toBe(`${folder}/VideoFlash/1036_TSI_SAD_XX.flv`);
    expect(listing.items[3]).toMatchObject({ pictures: null, groups: { sex: 'female', intensity: 'high' } });
    expect(reasons(listing)).toEqual([
      'AudioWAV/1019_IEO_SUR_LO.wav: emotion SUR is none of ANG, DIS, FEA, HAP, NEU, SAD',
      'VideoFlash/1091_IEO_HAP_HI: no such video; the clip is listed with its sound alone',
      "AudioWAV/1036_TSI_SAD_XX: no such sound; the video's own is taken",
      '1002_DFA_ANG_XX: has votes but no sound or video',
    ]);
  });

  test('folds of 18 actors, the last of 19', async () => {
    const actors = [1001, 1018, 1019, 1036, 1037, 1054, 1055, 1072, 1073, 1091];
    const folder = trees.tree(
      'crema-folds',
      empty(...actors.map((n) => `AudioWAV/${String(n)}_DFA_ANG_XX.wav`)),
    );
    const { items } = await corpusNamed('crema-d').list(folder, {});
    expect(items.map(({ fold }) => fold)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  });

  test('other tables of votes: the raters themselves, or the majority', async () => {
    const rest = Object.fromEntries(
      Object.entries(full).filter(([path]) => !path.includes('tabulatedVotes')),
    );
    const raters = trees.tree('crema-raters', {
      ...rest,
      'finishedResponses.csv':
        '"","queryType","clipName","respEmo"\n1,3,"1001_DFA_ANG_XX","A"\n2,3,"1001_DFA_ANG_XX","A"\n3,1,"1001_DFA_ANG_XX","N"\n4,3,"1001_DFA_ANG_XX","S"\n',
    });
    const summary = trees.tree('crema-summary', {
      ...rest,
      'processedResults/summaryTable.csv':
        '"","FileName","VoiceVote","MultiModalVote"\n1,"1001_DFA_ANG_XX","N","A:D"\n',
    });
    const crema = corpusNamed('crema-d');
    expect((await crema.list(raters, {})).items[0]?.votes).toEqual({ angry: 2, sad: 1 });
    expect((await crema.list(summary, {})).items[0]?.votes).toEqual({ angry: 0.5, disgust: 0.5 });
  });

  test('the compact layout: the fold of clips.csv, votes of the voice, rows and files that miss each other', async () => {
    const folder = trees.tree('crema-compact', {
      ...empty('audio/1001_DFA_ANG_XX.opus', 'audio/1040_ITH_SAD_X.opus', 'audio/1050_DFA_DIS_XX.opus'),
      'clips.csv':
        'clip,actor,sentence,emotion,level,fold,voiceVote,faceVote\n1001_DFA_ANG_XX,1001,DFA,ANG,XX,1,A:N,D\n1040_ITH_SAD_X,1040,ITH,SAD,X,,,\n1002_DFA_ANG_XX,1002,DFA,ANG,XX,1,A,A\n',
      'actors.csv': 'ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n',
    });
    const listing = await corpusNamed('crema-d').list(folder, {});
    expect(listing.items.map(({ key, fold, votes, pictures }) => [key, fold, votes, pictures])).toEqual([
      ['1001_DFA_ANG_XX', 1, { angry: 0.5, neutral: 0.5 }, null],
      ['1040_ITH_SAD_X', null, null, null],
    ]);
    expect(reasons(listing)).toEqual([
      '1002_DFA_ANG_XX: a row of clips.csv without a file in audio/',
      'audio/1050_DFA_DIS_XX.opus: no row in clips.csv',
    ]);
  });

  test('a table without its columns is named', async () => {
    const folder = trees.tree('crema-broken', { ...full, 'VideoDemographics.csv': 'Actor,Age\n1001,51\n' });
    await expect(corpusNamed('crema-d').list(folder, {})).rejects.toThrow(
      'it lacks ActorID, Sex, Race, Ethnicity',
    );
  });
});

describe('RAVDESS', () => {
  test('pictures and sound of a clip meet; song is left out unless it is asked for', async () => {
    const folder = trees.tree('ravdess', {
      ...empty(
        'Actor_01/02-01-06-02-01-01-01.mp4',
        'Actor_01/01-01-06-02-01-01-01.mp4',
        'Video_Speech_Actor_06/Actor_06/02-01-02-01-02-02-06.mp4',
        'Audio_Speech/Actor_01/03-01-06-02-01-01-01.wav',
        'Audio_Speech/Actor_24/03-01-01-01-01-01-24.wav',
        'Actor_24/03-02-03-01-01-01-24.wav',
        'Actor_24/take 3.wav',
      ),
    });
    const listing = await corpusNamed('ravdess').list(folder, {});
    expect(listing.items.map(({ key, label, fold, identity }) => [key, label, fold, identity])).toEqual([
      ['01-01-01-01-01-24', 'neutral', 6, '24'],
      ['01-02-01-02-02-06', 'calm', 2, '06'],
      ['01-06-02-01-01-01', 'fear', 1, '01'],
    ]);
    expect(listing.items[2]).toMatchObject({
      pictures: { path: `${folder}/Actor_01/02-01-06-02-01-01-01.mp4` },
      sound: { path: `${folder}/Audio_Speech/Actor_01/03-01-06-02-01-01-01.wav` },
      groups: { sex: 'male', intensity: 'strong' },
    });
    expect(listing.items[0]?.groups['sex']).toBe('female');
    expect(reasons(listing)).toEqual([
      'Actor_24/take 3.wav: its name is not seven numbers, MM-VC-EE-II-SS-RR-AA',
      'Actor_24/03-02-03-01-01-01-24.wav: song, and --channel is speech',
      'Audio_Speech/Actor_24/03-01-01-01-01-01-24.wav: no video of it; it is listed with its sound alone',
      'Video_Speech_Actor_06/Actor_06/02-01-02-01-02-02-06.mp4: no sound of it; it is listed with its pictures alone',
    ]);
    const songs = await corpusNamed('ravdess').list(folder, { channel: 'song' });
    expect(songs.items.map(({ key }) => key)).toEqual(['02-03-01-01-01-24']);
    await expect(corpusNamed('ravdess').list(folder, { channel: 'opera' })).rejects.toThrow(
      '--channel is "opera"; wanted one of speech, song, both',
    );
  });
});

describe('MSP-IMPROV', () => {
  const evaluation = [
    'UTD-IMPROV-S01A-F01-P-FM01.avi; A; A:3.500000; V:1.500000; D:NaN ; N:4.000000;',
    'rater1; Angry; Angry,Frustrated; A:3.000000; V:2.000000; D:3.000000; N:4.000000;',
    'rater1; Angry; Angry,Frustrated; A:3.000000; V:2.000000; D:3.000000; N:4.000000;',
    'rater2; Neutral; Neutral; A:3.000000; V:2.000000; D:3.000000; N:4.000000;',
    'rater3; Other; Bored; A:3.000000; V:2.000000; D:3.000000; N:4.000000;',
    '',
    'UTD-IMPROV-S20S-M06-T-MF01.avi; S; A:2.0; V:2.0; D:2.0 ; N:2.0;',
    'UTD-IMPROV-S02H-M03-S-FM01.avi; X; A:2.0; V:2.0; D:2.0 ; N:2.0;',
    'UTD-IMPROV-S03H-M03-S-FM01.avi; H; A:2.0; V:2.0; D:2.0 ; N:2.0;',
  ].join('\r\n');
  const files = empty(
    'session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.avi',
    'session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav',
    'session6/S20S/T/MSP-IMPROV-S20S-M06-T-MF01.wav',
    'session3/S02H/S/MSP-IMPROV-S02H-M03-S-FM01.avi',
    'session3/S02H/S/MSP-IMPROV-S04H-M03-S-FM01.avi',
  );

  test.each(['Evalution.txt', 'Evaluation.txt'])(
    'labels of %s, raters once each, sessions as folds',
    async (name) => {
      const folder = trees.tree(`msp-${name}`, { ...files, [name]: evaluation });
      const listing = await corpusNamed('msp-improv').list(folder, {});
      expect(listing.items).toHaveLength(2);
      expect(listing.items[0]).toMatchObject({
        key: 'MSP-IMPROV-S01A-F01-P-FM01',
        pictures: { path: `${folder}/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.avi` },
        sound: { path: `${folder}/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav` },
        label: 'angry',
        votes: { angry: 1, neutral: 1 },
        identity: 'F01',
        fold: 1,
        groups: { sex: 'female', recording: 'natural' },
      });
      expect(listing.items[0]?.dimensions).toEqual({ arousal: 3.5, valence: 1.5 });
      expect(listing.items[1]).toMatchObject({ label: 'sad', fold: 6, pictures: null, votes: null });
      expect(reasons(listing)).toEqual([
        'session3/S02H/S/MSP-IMPROV-S02H-M03-S-FM01.avi: label X is none of A, H, N, S (O: other, X: no agreement)',
        `session3/S02H/S/MSP-IMPROV-S04H-M03-S-FM01.avi: no line in ${name}`,
        'session6/S20S/T/MSP-IMPROV-S20S-M06-T-MF01.wav: no video of it; it is listed with its sound alone',
        `S03H-M03-S-FM01: in ${name}, but no clip of it`,
      ]);
    },
  );

  test('without its label file', async () => {
    const folder = trees.tree('msp-broken', { ...files, 'Labels.txt': evaluation });
    await expect(corpusNamed('msp-improv').list(folder, {})).rejects.toThrow(
      /Looked for Evalution\.txt .* there is session1\/, session3\/, session6\/, Labels\.txt/,
    );
  });
});

describe('IEMOCAP', () => {
  const evaluation = (actors: readonly string[]): string =>
    [
      '% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]',
      '',
      `[6.2901 - 8.2357]\t${actors[0] ?? ''}\texc\t[2.5000, 3.5000, 4.0000]`,
      'C-E2:\tExcited; Happiness;\t()',
      'C-E3:\tNeutral state;\t()',
      'C-F1:\tAnger;\t()',
      'A-E3:\tval 3; act 2; dom  2;\t()',
      '',
      `[8.5000 - 9.5000]\t${actors[1] ?? ''}\tfru\t[2.5000, 2.5000, 2.5000]`,
      'C-E2:\tFrustration;\t()',
    ].join('\n');
  const files = {
    ...empty(
      'Session1/dialog/avi/DivX/Ses01F_impro01.avi',
      'Session1/dialog/avi/DivX/._Ses01F_impro01.avi',
      'Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav',
      'Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F009.wav',
      'Session5/dialog/wav/Ses05M_script01_1b.wav',
    ),
    'Session1/dialog/EmoEvaluation/Ses01F_impro01.txt': evaluation([
      'Ses01F_impro01_F000',
      'Ses01F_impro01_M000',
    ]),
    'Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt': 'junk',
    'Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt': evaluation([
      'Ses05M_script01_1b_F001',
      'Ses05M_script01_1b_M001',
    ]),
  };

  test('utterances are cut in time and to the speaker, excited is happy, sessions are folds', async () => {
    const folder = trees.tree('iemocap', files);
    const listing = await corpusNamed('iemocap').list(folder, {});
    expect(listing.items).toHaveLength(2);
    expect(listing.items[0]).toMatchObject({
      key: 'Ses01F_impro01_F000',
      pictures: {
        path: `${folder}/Session1/dialog/avi/DivX/Ses01F_impro01.avi`,
        startMs: 6290,
        endMs: 8236,
        region: { x: 0, y: 0, width: 0.5, height: 1 },
      },
      sound: { path: `${folder}/Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav` },
      label: 'happy',
      votes: { happy: 2, neutral: 1 },
      dimensions: { valence: 2.5, arousal: 3.5, dominance: 4 },
      identity: 'Ses01_F',
      fold: 1,
      groups: { sex: 'female', scene: 'improvised' },
    });
    expect(listing.items[1]).toMatchObject({
      pictures: null,
      sound: { path: `${folder}/Session5/dialog/wav/Ses05M_script01_1b.wav`, startMs: 6290, endMs: 8236 },
      fold: 5,
      groups: { scene: 'scripted' },
    });
    expect(reasons(listing)).toEqual([
      'Session2: not there',
      'Session3: not there',
      'Session4: not there',
      'Ses01F_impro01_M000: label fru is none of ang, hap, exc, neu, sad',
      'Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F009.wav: no line in Ses01F_impro01.txt',
      'Session5/dialog/avi/DivX/Ses05M_script01_1b.avi: not there; its utterances are listed without pictures',
      'Ses05M_script01_1b_M001: label fru is none of ang, hap, exc, neu, sad',
    ]);
  });

  test('other labels are kept for their values; the other speaker is on the right, and left where his letter names the file', async () => {
    const folder = trees.tree('iemocap-all', {
      ...files,
      ...empty('Session5/dialog/avi/DivX/Ses05M_script01_1b.avi'),
    });
    const { items } = await corpusNamed('iemocap').list(folder, { others: 'keep' });
    expect(
      items.map(({ key, label, pictures }) => [
        key,
        label,
        pictures?.kind === 'video' ? pictures.region?.x : null,
      ]),
    ).toEqual([
      ['Ses01F_impro01_F000', 'happy', 0],
      ['Ses01F_impro01_M000', null, 0.5],
      ['Ses05M_script01_1b_F001', 'happy', 0.5],
      ['Ses05M_script01_1b_M001', null, 0],
    ]);
  });

  test('a session without label files is named', async () => {
    const folder = trees.tree('iemocap-broken', empty('Session1/dialog/EmoEvaluation/Categorical/x.txt'));
    await expect(corpusNamed('iemocap').list(folder, {})).rejects.toThrow(
      /Looked for the label files Ses0NF_\*\.txt .* there is Categorical\//,
    );
  });
});
