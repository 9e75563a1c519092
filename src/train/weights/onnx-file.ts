// The ONNX file format, out only: a graph of named values to protobuf bytes. Field numbers are those of onnx.proto
// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
import { PbfWriter } from 'pbf';

/** A node's attribute; a whole number is written as an integer, so a float attribute says so. */
export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

/** One operation. */
export interface OnnxNode {
  readonly name: string;
  /** Operator; '' is ONNX's own domain. */
  readonly op: string;
  readonly domain: '' | 'com.microsoft';
  /** Names of values; '' is an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant of the graph: float32, or int64 when its data are BigInts. */
export interface OnnxConstant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** A float32 input or output; a text among the dimensions is a size that the caller chooses. */
export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  readonly about: string;
}

export interface OnnxGraph {
  readonly name: string;
  /** In an order in which each node's inputs come before it. */
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Operator set of ONNX's own domain: the first with Gelu. */
const opset = 20;
/** The file format's version that came with it (ONNX 1.15). */
const irVersion = 9;

const elementTypes = { float32: 1, int64: 7 } as const;
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const;

const utf8 = new TextEncoder();

/**
 * A whole .onnx file.
 * @param metadata texts by key, which runtimes hand to their users
 * @returns less than 2 GiB, protobuf's limit
 */
export function writeOnnx(graph: OnnxGraph, metadata: Readonly<Record<string, string>>): Uint8Array {
  // One buffer from the start: weights are most of the file, and growing would hold them twice.
  const dataBytes = graph.constants.reduce((sum, { data }) => sum + data.byteLength, 0);
  const pbf = new PbfWriter(
    new Uint8Array(dataBytes + 400 * (graph.nodes.length + graph.constants.length) + 65536),
  );
  pbf.writeVarintField(1, irVersion);
  pbf.writeStringField(2, 'emotion-recognizer');
  pbf.writeMessage(7, writeGraph, graph);
  pbf.writeMessage(8, writeOpset, { domain: '', version: opset });
  if (graph.nodes.some(({ domain }) => domain !== '')) {
    pbf.writeMessage(8, writeOpset, { domain: 'com.microsoft', version: 1 });
  }
  for (const [key, value] of Object.entries(metadata)) pbf.writeMessage(14, writeEntry, { key, value });
  return pbf.finish();
}

function writeOpset({ domain, version }: { domain: string; version: number }, pbf: PbfWriter): void {
  pbf.writeStringField(1, domain);
  pbf.writeVarintField(2, version);
}

function writeEntry({ key, value }: { key: string; value: string }, pbf: PbfWriter): void {
  pbf.writeStringField(1, key);
  pbf.writeStringField(2, value);
}

function writeGraph({ name, nodes, constants, inputs, outputs }: OnnxGraph, pbf: PbfWriter): void {
  for (const node of nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, name);
  for (const constant of constants) pbf.writeMessage(5, writeConstant, constant);
  for (const value of inputs) pbf.writeMessage(11, writeValue, value);
  for (const value of outputs) pbf.writeMessage(12, writeValue, value);
}

function writeNode({ name, op, domain, inputs, outputs, attributes }: OnnxNode, pbf: PbfWriter): void {
  for (const input of inputs) pbf.writeStringField(1, input);
  for (const output of outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, name);
  pbf.writeStringField(4, op);
  for (const attribute of Object.entries(attributes)) pbf.writeMessage(5, writeAttribute, attribute);
  if (domain !== '') pbf.writeStringField(7, domain);
}

function writeAttribute([name, value]: [string, OnnxAttribute], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (typeof value === 'number') {
    pbf.writeVarintField(3, value);
    pbf.writeVarintField(20, attributeTypes.int);
  } else if (typeof value === 'string') {
    pbf.writeBytesField(4, utf8.encode(value));
    pbf.writeVarintField(20, attributeTypes.string);
  } else if ('float' in value) {
    pbf.writeFloatField(2, value.float);
    pbf.writeVarintField(20, attributeTypes.float);
  } else {
    // onnx.proto is proto2: repeated numbers are not packed.
    for (const item of value) pbf.writeVarintField(8, item);
    pbf.writeVarintField(20, attributeTypes.ints);
  }
}

function writeConstant({ name, shape, data }: OnnxConstant, pbf: PbfWriter): void {
  for (const size of shape) pbf.writeVarintField(1, size);
  pbf.writeVarintField(2, data instanceof Float32Array ? elementTypes.float32 : elementTypes.int64);
  pbf.writeStringField(8, name);
  // Little-endian by the format, as every machine that runs this.
  pbf.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValue({ name, shape, about }: OnnxValue, pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  pbf.writeMessage(2, writeType, shape);
  pbf.writeStringField(3, about);
}

function writeType(shape: OnnxValue['shape'], pbf: PbfWriter): void {
  pbf.writeMessage(1, writeTensorType, shape);
}

function writeTensorType(shape: OnnxValue['shape'], pbf: PbfWriter): void {
  pbf.writeVarintField(1, elementTypes.float32);
  pbf.writeMessage(2, writeShape, shape);
}

function writeShape(shape: OnnxValue['shape'], pbf: PbfWriter): void {
  for (const size of shape) pbf.writeMessage(1, writeDimension, size);
}

function writeDimension(size: number | string, pbf: PbfWriter): void {
  if (typeof size === 'number') pbf.writeVarintField(1, size);
  else pbf.writeStringField(2, size);
}
