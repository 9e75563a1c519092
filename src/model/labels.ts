// The seven classes of the shipped models, in the order of their logits.

export const emotions = ['angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise'] as const;

export type Emotion = (typeof emotions)[number];
