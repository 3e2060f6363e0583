// The client's side of the protocol, as far as tests need it: requests as bytes, answers as plain objects, and a
// connection without a socket.
import { Buffer, lz4Compress, lz4DecompressInto, snappyCompress, snappyDecompress } from "../../runtime/pure.ts"
import type { ByteConnection, ByteHandlers } from "../../runtime/byte-listener.ts"
import { ByteReader, ByteWriter } from "../../data/bytes.ts"
import type { FrameCompression } from "./compression.ts"
import { FRAME_FLAG, FRAME_HEADER_SIZE } from "./frame.ts"
import { OPCODE } from "./opcode.ts"
import { writeBytes, writeShortBytes, writeString, writeStringList } from "./primitives.ts"
import { QUERY_FLAG } from "./query-options.ts"
import { SegmentDecoder, writeSegment } from "./segment.ts"
import { hasResultMetadataId, hasWideQueryFlags } from "./version.ts"

export interface QueryParameters {
  consistency?: number
  /** undefined in it: unset. */
  values?: readonly (Uint8Array | null | undefined)[]
  names?: readonly string[]
  skipMetadata?: boolean
  pageSize?: number
  pagingState?: Uint8Array
  serialConsistency?: number
  timestamp?: readonly [high: number, low: number]
  keyspace?: string
  nowSeconds?: number
}

export interface FrameOptions {
  version?: number
  stream?: number
  flags?: number
  compress?: FrameCompression | null
}

/** A request frame: header and body. */
export function frameBytes(opcode: number, body: Uint8Array, options: FrameOptions = {}): Buffer {
  const { version = 4, stream = 1, flags = 0, compress = null } = options
  let content: Buffer = Buffer.from(body)
  if (compress === "snappy") content = snappyCompress(content)
  else if (compress === "lz4") {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(content.length)
    content = Buffer.concat([length, lz4Compress(content)])
  }
  const header = Buffer.alloc(FRAME_HEADER_SIZE)
  header[0] = version
  header[1] = flags | (compress !== null ? FRAME_FLAG.compressed : 0)
  header.writeInt16BE(stream, 2)
  header[4] = opcode
  header.writeInt32BE(content.length, 5)
  return Buffer.concat([header, content])
}

export function startupFrame(map: Readonly<Record<string, string>> = { CQL_VERSION: "3.0.0" }, options: FrameOptions = {}): Buffer {
  const out = new ByteWriter()
  const entries = Object.entries(map)
  out.uint16(entries.length)
  for (const [key, value] of entries) {
    writeString(out, key)
    writeString(out, value)
  }
  return frameBytes(OPCODE.startup, out.view(), options)
}

export function optionsFrame(options: FrameOptions = {}): Buffer {
  return frameBytes(OPCODE.options, Buffer.alloc(0), options)
}

export function registerFrame(types: readonly string[], options: FrameOptions = {}): Buffer {
  const out = new ByteWriter()
  writeStringList(out, types)
  return frameBytes(OPCODE.register, out.view(), options)
}

export function queryFrame(text: string, parameters: QueryParameters = {}, options: FrameOptions = {}): Buffer {
  const out = new ByteWriter()
  writeLongString(out, text)
  writeParameters(out, parameters, options.version ?? 4)
  return frameBytes(OPCODE.query, out.view(), options)
}

export function prepareFrame(text: string, keyspace: string | null = null, options: FrameOptions = {}): Buffer {
  const out = new ByteWriter()
  writeLongString(out, text)
  if (hasWideQueryFlags(options.version ?? 4)) {
    out.int32(keyspace === null ? 0 : 1)
    if (keyspace !== null) writeString(out, keyspace)
  }
  return frameBytes(OPCODE.prepare, out.view(), options)
}

export function executeFrame(id: Uint8Array, resultMetadataId: Uint8Array, parameters: QueryParameters = {}, options: FrameOptions = {}): Buffer {
  const out = new ByteWriter()
  writeShortBytes(out, id)
  if (hasResultMetadataId(options.version ?? 4)) writeShortBytes(out, resultMetadataId)
  writeParameters(out, parameters, options.version ?? 4)
  return frameBytes(OPCODE.execute, out.view(), options)
}

export interface BatchStatement {
  query: string | Uint8Array
  values: readonly (Uint8Array | null | undefined)[]
}

export function batchFrame(type: number, statements: readonly BatchStatement[], parameters: QueryParameters = {}, options: FrameOptions = {}): Buffer {
  const out = new ByteWriter()
  out.uint8(type)
  out.uint16(statements.length)
  for (const { query, values } of statements) {
    out.uint8(typeof query === "string" ? 0 : 1)
    if (typeof query === "string") writeLongString(out, query)
    else writeShortBytes(out, query)
    writeValues(out, values)
  }
  writeParameters(out, parameters, options.version ?? 4)
  return frameBytes(OPCODE.batch, out.view(), options)
}

/** One segment around whole envelopes, or around a part of one. */
export function segmentBytes(payload: Buffer, options: { selfContained?: boolean; compressed?: boolean } = {}): Buffer {
  const out = Buffer.alloc(payload.length + 12)
  return out.subarray(0, writeSegment(out, 0, payload, 0, payload.length, options.selfContained ?? true, options.compressed ?? false))
}

function writeLongString(out: ByteWriter, text: string): void {
  writeBytes(out, Buffer.from(text))
}

function writeValues(out: ByteWriter, values: readonly (Uint8Array | null | undefined)[], names?: readonly string[]): void {
  out.uint16(values.length)
  values.forEach((value, i) => {
    if (names !== undefined) writeString(out, names[i] as string)
    if (value === null) out.int32(-1)
    else if (value === undefined) out.int32(-2)
    else writeBytes(out, value)
  })
}

function writeParameters(out: ByteWriter, p: QueryParameters, version: number): void {
  const flags =
    (p.values === undefined ? 0 : QUERY_FLAG.values) |
    (p.skipMetadata === true ? QUERY_FLAG.skipMetadata : 0) |
    (p.pageSize === undefined ? 0 : QUERY_FLAG.pageSize) |
    (p.pagingState === undefined ? 0 : QUERY_FLAG.pagingState) |
    (p.serialConsistency === undefined ? 0 : QUERY_FLAG.serialConsistency) |
    (p.timestamp === undefined ? 0 : QUERY_FLAG.defaultTimestamp) |
    (p.names === undefined ? 0 : QUERY_FLAG.namesForValues) |
    (p.keyspace === undefined ? 0 : QUERY_FLAG.keyspace) |
    (p.nowSeconds === undefined ? 0 : QUERY_FLAG.nowInSeconds)
  out.uint16(p.consistency ?? 1)
  if (hasWideQueryFlags(version)) out.int32(flags)
  else out.uint8(flags)
  if (p.values !== undefined) writeValues(out, p.values, p.names)
  if (p.pageSize !== undefined) out.int32(p.pageSize)
  if (p.pagingState !== undefined) writeBytes(out, p.pagingState)
  if (p.serialConsistency !== undefined) out.uint16(p.serialConsistency)
  if (p.timestamp !== undefined) out.timestamp(p.timestamp[0], p.timestamp[1])
  if (p.keyspace !== undefined) writeString(out, p.keyspace)
  if (p.nowSeconds !== undefined) out.uint32(p.nowSeconds)
}

/** What a server sent: one frame. */
export interface Answer {
  version: number
  flags: number
  stream: number
  opcode: number
  body: Buffer
}

/** Code and message of an ERROR. */
export function errorOf(answer: Answer): { code: number; message: string; rest: ByteReader } {
  const reader = new ByteReader(answer.body)
  const code = reader.int32("code")
  return { code, message: readString(reader), rest: reader }
}

export function readString(reader: ByteReader): string {
  return reader.bytes(reader.uint16("size"), "string").toString()
}

/** Cuts a server's bytes into answers; `compression`: what was agreed on. Throws when something is left over. */
export function parseFrames(bytes: Buffer, compression: FrameCompression | null = "lz4"): Answer[] {
  const answers: Answer[] = []
  let at = 0
  while (at < bytes.length) {
    const version = (bytes[at] as number) & 0x7f
    const isShort = version < 3
    const headerSize = isShort ? FRAME_HEADER_SIZE - 1 : FRAME_HEADER_SIZE
    const size = bytes.readInt32BE(at + headerSize - 4)
    const flags = bytes[at + 1] as number
    let body: Buffer = Buffer.from(bytes.subarray(at + headerSize, at + headerSize + size))
    if (body.length !== size) throw new Error("an answer is cut off")
    if (version < 5 && (flags & FRAME_FLAG.compressed) !== 0) {
      body = compression === "snappy" ? snappyDecompress(body, 1 << 28) : decompressLz4(body)
    }
    answers.push({ version, flags, stream: isShort ? bytes.readInt8(at + 2) : bytes.readInt16BE(at + 2), opcode: bytes[at + headerSize - 5] as number, body })
    at += headerSize + size
  }
  return answers
}

function decompressLz4(body: Buffer): Buffer {
  const plain = Buffer.alloc(body.readUInt32BE(0))
  lz4DecompressInto(body, 4, body.length - 4, plain, 0, plain.length)
  return plain
}

/** The envelopes in a server's segments. */
export function openSegments(bytes: Buffer, compressed: boolean): Buffer {
  const decoder = new SegmentDecoder(5, compressed)
  const parts: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    const size = decoder.size(bytes, at, bytes.length)
    if (size === 0 || size > bytes.length - at) throw new Error("a segment is cut off")
    decoder.open(bytes, at, at + size)
    parts.push(Buffer.from(decoder.payload.subarray(decoder.from, decoder.to)))
    at += size
  }
  return Buffer.concat(parts)
}

/** A client connected by function calls. `writes` is what the server wrote, one element for each write. */
export class TestConnection implements ByteConnection {
  readonly remote = "127.0.0.1:50000"
  writes: Buffer[] = []
  ended = false
  destroyed = false
  paused = false
  /** What `write` returns. */
  writable = true
  readonly #handlers: ByteHandlers
  #isAccepted = false

  constructor(accept: (connection: ByteConnection) => ByteHandlers) {
    this.#handlers = accept(this)
    this.#isAccepted = true
  }

  /** The client sends; the bytes are overwritten afterwards, as a socket may. */
  send(...bytes: readonly Buffer[]): void {
    const chunk = Buffer.concat(bytes)
    this.#handlers.data(chunk)
    chunk.fill(0xee)
  }
  sendEachByte(bytes: Buffer): void {
    for (let i = 0; i < bytes.length; i++) this.send(bytes.subarray(i, i + 1))
  }
  /** The client has read what was written. */
  read(): void {
    this.writable = true
    this.#handlers.drain()
  }
  disconnect(): void {
    this.#handlers.close()
  }
  /** Everything the server wrote since the last call. */
  takeBytes(): Buffer {
    const bytes = Buffer.concat(this.writes)
    this.writes = []
    return bytes
  }
  takeAnswers(): Answer[] {
    return parseFrames(this.takeBytes())
  }
  takeSegmentedAnswers(compressed = false): Answer[] {
    return parseFrames(openSegments(this.takeBytes(), compressed))
  }

  write(bytes: Uint8Array): boolean {
    if (this.ended || this.destroyed) throw new Error("write after end")
    this.writes.push(Buffer.from(bytes))
    return this.writable
  }
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  end(): void {
    this.ended = true
  }
  destroy(): void {
    this.destroyed = true
    if (this.#isAccepted) this.#handlers.close()
  }
}
