// Makes the face model of npm's @mediapipe/face_detection loadable by MediaPipe's FaceDetector, which refuses a model
// without TFLite metadata ("requires specifying NormalizationOptions metadata"). Runs at build time only.
import { Builder, ByteBuffer } from 'flatbuffers';

// Field numbers of the tables in TensorFlow's schema.fbs and metadata_schema.fbs, in their order of declaration.
const model = {
  version: 0,
  description: 3,
  buffers: 4,
  metadataBuffer: 5,
  metadata: 6,
  fieldCount: 8,
} as const;
const modelTables = [1, 2, 3, 5, 7] as const; // operator_codes, subgraphs, description, metadata_buffer, signature_defs

/** Inputs are RGB 0..255, brought to -1..1: (value - mean) / std. */
const normalization = { mean: 127.5, std: 127.5, min: -1, max: 1 } as const;

/**
 * The same model with image metadata.
 * A flatbuffer's offsets only point forward, so a new root, a new list of buffers and the metadata are put in front and
 * the old file stays behind them byte for byte: its network needs no decoding.
 * @throws when the file is no TFLite model or has metadata already.
 */
export function addFaceModelMetadata(old: Uint8Array): Uint8Array {
  const reader = new ByteBuffer(old);
  if (old.length < 8 || String.fromCharCode(...old.subarray(4, 8)) !== 'TFL3') {
    throw new Error(
      `The face model is no TFLite file (${String(old.length)} bytes); reinstall the packages with npm ci.`,
    );
  }
  const root = reader.readInt32(0);
  /** Absolute position of what a field of the root refers to; 0 when the field is absent. */
  const target = (field: number): number => {
    const offset = reader.__offset(root, 4 + 2 * field);
    return offset === 0 ? 0 : reader.__indirect(root + offset);
  };
  if (target(model.metadata) !== 0) throw new Error('The face model has metadata already; use it as it is.');

  // A builder fills its memory from the end, and names places by their distance from there: an old position p is
  // `aligned - p`. Tensors' data must stay aligned to 16 bytes.
  const aligned = Math.ceil(old.length / 16) * 16;
  const builder = new Builder(aligned + 4096);
  const padded = new Uint8Array(aligned);
  padded.set(old);
  builder.createByteVector(padded);
  const kept = (position: number): number => aligned - position;

  const metadata = faceMetadata();
  builder.startVector(1, metadata.length, 16);
  for (let i = metadata.length - 1; i >= 0; i--) builder.addInt8(metadata[i] ?? 0);
  const metadataBytes = builder.endVector();
  const metadataBuffer = table(builder, 3, [[0, metadataBytes]]);

  const oldBuffers = target(model.buffers);
  const bufferCount = reader.readInt32(oldBuffers);
  const buffers = Array.from({ length: bufferCount }, (_, i) =>
    kept(reader.__indirect(oldBuffers + 4 + 4 * i)),
  );
  const buffersVector = offsets(builder, [...buffers, metadataBuffer]);

  const name = builder.createString('TFLITE_METADATA');
  builder.startObject(2);
  builder.addFieldOffset(0, name, 0);
  builder.addFieldInt32(1, bufferCount, 0);
  const entries = offsets(builder, [builder.endObject()]);

  const versionOffset = reader.__offset(root, 4 + 2 * model.version);
  builder.startObject(model.fieldCount);
  builder.addFieldInt32(model.version, versionOffset === 0 ? 0 : reader.readInt32(root + versionOffset), 0);
  for (const field of modelTables)
    if (target(field) !== 0) builder.addFieldOffset(field, kept(target(field)), 0);
  builder.addFieldOffset(model.buffers, buffersVector, 0);
  builder.addFieldOffset(model.metadata, entries, 0);
  builder.finish(builder.endObject(), 'TFL3');
  return builder.asUint8Array();
}

/** A ModelMetadata flatbuffer: one RGB image in, boxes and scores out. */
function faceMetadata(): Uint8Array {
  const builder = new Builder(1024);
  const rgb = 1;
  const imageProperties = 2; // ContentProperties is a union: its type, then its value
  const normalizationOptions = 1; // ProcessUnitOptions is one too

  const mean = floats(builder, [normalization.mean]);
  const std = floats(builder, [normalization.std]);
  const options = table(builder, 2, [
    [0, mean],
    [1, std],
  ]);
  const processUnit = table(builder, 2, [[1, options]], [[0, normalizationOptions]]);
  const processUnits = offsets(builder, [processUnit]);
  const image = table(builder, 2, [], [[0, rgb]]);
  const content = table(builder, 3, [[1, image]], [[0, imageProperties]]);
  const max = floats(builder, [normalization.max]);
  const min = floats(builder, [normalization.min]);
  const stats = table(builder, 4, [
    [0, max],
    [1, min],
  ]);
  const inputName = builder.createString('image');
  const input = table(builder, 7, [
    [0, inputName],
    [3, content],
    [4, processUnits],
    [5, stats],
  ]);
  const outputs = ['regressors', 'classificators'].map((name) =>
    table(builder, 7, [[0, builder.createString(name)]]),
  );
  const inputs = offsets(builder, [input]);
  const outputVector = offsets(builder, outputs);
  const subgraph = table(builder, 9, [
    [2, inputs],
    [3, outputVector],
  ]);
  const subgraphs = offsets(builder, [subgraph]);
  const name = builder.createString('face detector');
  builder.finish(
    table(builder, 8, [
      [0, name],
      [3, subgraphs],
    ]),
    'M001',
  );
  return builder.asUint8Array();
}

type Field = readonly [field: number, value: number];

function table(
  builder: Builder,
  fieldCount: number,
  references: readonly Field[],
  bytes: readonly Field[] = [],
): number {
  builder.startObject(fieldCount);
  for (const [field, value] of references) builder.addFieldOffset(field, value, 0);
  for (const [field, value] of bytes) builder.addFieldInt8(field, value, 0);
  return builder.endObject();
}

function offsets(builder: Builder, values: readonly number[]): number {
  builder.startVector(4, values.length, 4);
  for (const value of [...values].reverse()) builder.addOffset(value);
  return builder.endVector();
}

function floats(builder: Builder, values: readonly number[]): number {
  builder.startVector(4, values.length, 4);
  for (const value of [...values].reverse()) builder.addFloat32(value);
  return builder.endVector();
}
