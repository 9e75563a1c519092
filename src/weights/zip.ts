// Zip archives of stored members, as torch.save writes them: read by their directory, from any source of bytes; written
// with aligned data and the same bytes every time.
import { assert } from '../base/assert.ts';

/** Bytes that are read where they are needed: a file, or memory. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Exactly that many bytes, which lie within the size. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
}

export interface ZipMember {
  readonly name: string;
  readonly size: number;
  readonly method: number;
  readonly crc: number;
  readonly headerOffset: number;
}

/** What is wrong with an archive, without its name. */
export class ZipError extends Error {}

const maxDirectoryBytes = 2 ** 26;

let crcTable: Uint32Array | undefined;

/** CRC-32 as zip has it. */
export function crc32(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, i) => {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    return c;
  });
  const table = crcTable;
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const uint64 = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

/**
 * An archive's members by name; zip64 is understood.
 * @throws ZipError when there is no whole directory
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipMember>> {
  const { offset, size, count } = await findDirectory(source);
  const bytes = await source.read(offset, size);
  const view = viewOf(bytes);
  const members = new Map<string, ZipMember>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== 0x02014b50)
      throw new ZipError('its directory is damaged');
    const nameEnd = at + 46 + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    if (extraEnd > size) throw new ZipError('its directory is cut short');
    const name = new TextDecoder('utf-8').decode(bytes.subarray(at + 46, nameEnd));
    const wide = zip64Fields(view, nameEnd, extraEnd, at);
    const member = {
      name,
      size: wide.size,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      headerOffset: wide.headerOffset,
    };
    if (wide.packed !== wide.size && member.method === 0)
      throw new ZipError(`its member ${name} has two sizes`);
    if (member.headerOffset + 30 + wide.packed > source.size)
      throw new ZipError(`its member ${name} lies outside of it`);
    if (members.has(name)) throw new ZipError(`it has two members ${name}`);
    members.set(name, member);
    at = extraEnd + view.getUint16(at + 32, true);
  }
  return members;
}

async function findDirectory(
  source: ByteSource,
): Promise<{ readonly offset: number; readonly size: number; readonly count: number }> {
  // The end record is followed by a comment of at most 65,535 bytes.
  const length = Math.min(source.size, 22 + 65535);
  const tail = await source.read(source.size - length, length);
  const view = viewOf(tail);
  let end = length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw new ZipError('its end is missing: it was cut short');
  let [count, size, offset] = [
    view.getUint16(end + 10, true),
    view.getUint32(end + 12, true),
    view.getUint32(end + 16, true),
  ];
  if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) {
    if (end < 20 || view.getUint32(end - 20, true) !== 0x07064b50)
      throw new ZipError('its zip64 end is missing');
    const recordAt = uint64(view, end - 12);
    if (recordAt + 56 > source.size) throw new ZipError('its zip64 end lies outside of it');
    const record = viewOf(await source.read(recordAt, 56));
    if (record.getUint32(0, true) !== 0x06064b50) throw new ZipError('its zip64 end is damaged');
    [count, size, offset] = [uint64(record, 32), uint64(record, 40), uint64(record, 48)];
  }
  if (offset + size > source.size || size > maxDirectoryBytes || count * 46 > size) {
    throw new ZipError('its directory lies outside of it');
  }
  return { offset, size, count };
}

/** Sizes and place of a member, from the zip64 extra field where the directory entry has no room for them. */
function zip64Fields(
  view: DataView,
  begin: number,
  end: number,
  entry: number,
): { readonly packed: number; readonly size: number; readonly headerOffset: number } {
  let size = view.getUint32(entry + 24, true);
  let packed = view.getUint32(entry + 20, true);
  let headerOffset = view.getUint32(entry + 42, true);
  for (let at = begin; at + 4 <= end;) {
    const fieldEnd = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      let next = at + 4;
      const wide = (narrow: number): number => {
        if (narrow !== 0xffffffff) return narrow;
        if (next + 8 > Math.min(fieldEnd, end)) throw new ZipError('its zip64 fields are cut short');
        next += 8;
        return uint64(view, next - 8);
      };
      size = wide(size);
      packed = wide(packed);
      headerOffset = wide(headerOffset);
      break;
    }
    at = fieldEnd;
  }
  return { packed, size, headerOffset };
}

/**
 * A stored member's bytes, checked by its CRC (a CRC of 0 means that the writer left it out).
 * @throws ZipError when compressed, cut short or damaged
 */
export async function readZipMember(source: ByteSource, member: ZipMember): Promise<Uint8Array> {
  const { name, headerOffset, size } = member;
  if (member.method !== 0)
    throw new ZipError(`its member ${name} is compressed, which torch.save never does`);
  const header = viewOf(await source.read(headerOffset, 30));
  if (header.getUint32(0, true) !== 0x04034b50) throw new ZipError(`its member ${name} has no header`);
  const begin = headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (begin + size > source.size) throw new ZipError(`its member ${name} is cut short`);
  const bytes = await source.read(begin, size);
  const crc = crc32(bytes);
  if (member.crc !== 0 && crc !== member.crc) {
    throw new ZipError(
      `its member ${name} is damaged (CRC ${crc.toString(16)} instead of ${member.crc.toString(16)})`,
    );
  }
  return bytes;
}

/** Data begin at multiples of this, as torch.save aligns them for memory mapping. */
const alignment = 64;

/**
 * An archive of stored members, without times.
 * @param members in order; ASCII names; below 4 GiB together
 */
export function writeZip(
  members: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): Uint8Array<ArrayBuffer> {
  const places: { readonly header: number; readonly padding: number; readonly begin: number }[] = [];
  let at = 0;
  for (const { name, bytes } of members) {
    const unpadded = at + 30 + name.length + 4;
    const begin = Math.ceil(unpadded / alignment) * alignment;
    places.push({ header: at, padding: begin - unpadded, begin });
    at = begin + bytes.length;
  }
  const directory = at;
  const directoryBytes = members.reduce((sum, { name }) => sum + 46 + name.length, 0);
  const total = directory + directoryBytes + 22;
  assert(total < 2 ** 32 - 1 && members.length < 0xffff, 'writeZip: an archive that would need zip64');
  const archive = new Uint8Array(total);
  const view = viewOf(archive);
  const name8 = new TextEncoder();
  at = directory;
  members.forEach(({ name, bytes }, i) => {
    const { header = 0, padding = 0, begin = 0 } = places[i] ?? {};
    const common = (to: number, extraBytes: number): void => {
      view.setUint16(to, 0); // version needed
      view.setUint16(to + 2, 0x0800, true); // names in UTF-8
      view.setUint32(to + 10, crc, true);
      view.setUint32(to + 14, bytes.length, true);
      view.setUint32(to + 18, bytes.length, true);
      view.setUint16(to + 22, name.length, true);
      view.setUint16(to + 24, extraBytes, true);
    };
    const crc = crc32(bytes);
    view.setUint32(header, 0x04034b50, true);
    common(header + 4, 4 + padding);
    archive.set(name8.encode(name), header + 30);
    // PyTorch's own padding field.
    archive.set([0x46, 0x42, padding & 255, padding >> 8], header + 30 + name.length);
    archive.fill(0x5a, header + 34 + name.length, begin);
    archive.set(bytes, begin);
    view.setUint32(at, 0x02014b50, true);
    common(at + 6, 0);
    view.setUint32(at + 42, header, true);
    archive.set(name8.encode(name), at + 46);
    at += 46 + name.length;
  });
  view.setUint32(at, 0x06054b50, true);
  view.setUint16(at + 8, members.length, true);
  view.setUint16(at + 10, members.length, true);
  view.setUint32(at + 12, directoryBytes, true);
  view.setUint32(at + 16, directory, true);
  return archive;
}
