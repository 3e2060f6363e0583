// Our LZ4 against another implementation, and against blocks that lie.
import { createRequire } from "node:module"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { Lz4, MAX_BYTES } from "./lz4.ts"
import { lz4Compress, lz4DecompressInto } from "./pure.ts"

const other = createRequire(import.meta.url)("lz4-napi") as { compressSync(data: Buffer): Buffer; uncompressSync(data: Buffer): Buffer }
const lz4 = new Lz4()

function decompressed(block: Uint8Array, size: number): Buffer | number {
  const target = Buffer.alloc(size)
  const count = lz4.decompress(block, 0, block.length, target, 0, size)
  return count === size ? target : count
}

/** Bytes as data has them: runs, repeats of what came before at any distance, and noise. */
const plain = fc
  .array(fc.oneof(
    fc.record({ kind: fc.constant("noise" as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ kind: fc.constant("run" as const), byte: fc.integer({ min: 0, max: 255 }), count: fc.integer({ min: 1, max: 600 }) }),
    fc.record({ kind: fc.constant("repeat" as const), back: fc.integer({ min: 1, max: 70_000 }), count: fc.integer({ min: 4, max: 3000 }) }),
  ), { maxLength: 60 })
  .map((parts) => {
    let bytes = Buffer.alloc(0)
    for (const part of parts) {
      if (part.kind === "noise") bytes = Buffer.concat([bytes, part.bytes])
      else if (part.kind === "run") bytes = Buffer.concat([bytes, Buffer.alloc(part.count, part.byte)])
      else if (bytes.length > 0) {
        const from = Math.max(bytes.length - part.back, 0)
        bytes = Buffer.concat([bytes, bytes.subarray(from, from + part.count)])
      }
    }
    return bytes
  })

test("what one implementation compresses, the other decompresses", () => {
  fc.assert(fc.property(plain, (bytes) => {
    const ours = Buffer.from(lz4.compress(bytes))
    expect(decompressed(ours, bytes.length)).toEqual(bytes)
    const size = Buffer.alloc(4)
    size.writeUInt32LE(bytes.length)
    expect(other.uncompressSync(Buffer.concat([size, ours])).equals(bytes)).toBe(true)
    const theirs = other.compressSync(bytes).subarray(4)
    expect(decompressed(theirs, bytes.length)).toEqual(bytes)
    // No worse than theirs by more than a little.
    expect(ours.length).toBeLessThanOrEqual(theirs.length * 1.1 + 32)
  }), { numRuns: 300 })
})

test("lengths around every limit of the format", () => {
  for (const literals of [0, 1, 14, 15, 16, 269, 270, 271, 525]) {
    for (const match of [0, 4, 18, 19, 20, 273, 274, 275, 65_535, 65_536]) {
      const bytes = Buffer.alloc(literals + 1 + match, 7)
      for (let index = 0; index < literals; index++) bytes[index] = (index * 167) & 0xff
      const block = Buffer.from(lz4.compress(bytes))
      expect(decompressed(block, bytes.length)).toEqual(bytes)
    }
  }
})

test("a damaged block is refused or gives other bytes, and writes nothing outside its target", () => {
  fc.assert(fc.property(plain, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }), fc.nat(), (bytes, changes, cut) => {
    const block = Buffer.from(lz4.compress(bytes))
    for (const [at, byte] of changes) block[at % block.length] = byte
    const damaged = block.subarray(0, block.length - (cut % block.length))
    const target = Buffer.alloc(bytes.length + 64, 0xee)
    const count = lz4.decompress(damaged, 0, damaged.length, target, 32, bytes.length)
    expect(count).toBeLessThanOrEqual(bytes.length)
    expect(target.subarray(0, 32).every((byte) => byte === 0xee)).toBe(true)
    expect(target.subarray(32 + bytes.length).every((byte) => byte === 0xee)).toBe(true)
    if (count !== bytes.length) expect(target.every((byte) => byte === 0xee)).toBe(true)
  }), { numRuns: 500 })
})

test("noise is no block that reads or writes out of bounds", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 5000 }), (noise, size) => {
    const result = decompressed(noise, size)
    // The same verdict as the other implementation, which is stricter only about the end of a block.
    const header = Buffer.alloc(4)
    header.writeUInt32LE(size)
    let theirs: Buffer | null = null
    try {
      theirs = other.uncompressSync(Buffer.concat([header, noise]))
    } catch {
      theirs = null
    }
    if (theirs !== null && theirs.length === size && typeof result !== "number") expect(result).toEqual(theirs)
  }), { numRuns: 2000 })
})

test("distances of 1 to 20 repeat what was just written", () => {
  for (let offset = 1; offset <= 20; offset++) {
    for (const length of [4, 7, 8, 15, 16, 17, 100]) {
      const literals = Buffer.from(Array.from({ length: offset }, (_, index) => index + 1))
      const token = [(Math.min(offset, 15) << 4) | Math.min(length - 4, 15), ...(offset >= 15 ? [offset - 15] : [])]
      const block = Buffer.from([...token, ...literals, offset, 0, ...(length - 4 >= 15 ? [length - 19] : []), 0x10, 0xff])
      const expected = Buffer.from(Array.from({ length: offset + length }, (_, index) => (index % offset) + 1))
      expect(decompressed(block, offset + length + 1), `offset ${offset}, length ${length}`).toEqual(Buffer.concat([expected, Buffer.from([0xff])]))
    }
  }
})

test("large blocks go another way to the same result", () => {
  const bytes = Buffer.alloc(MAX_BYTES + 100_000)
  for (let index = 0; index < bytes.length; index++) bytes[index] = (index >>> 5) * 31 + (index & 7)
  const block = lz4Compress(bytes)
  const target = Buffer.alloc(bytes.length)
  lz4DecompressInto(block, 0, block.length, target, 0, bytes.length)
  expect(target.equals(bytes)).toBe(true)
  expect(() => lz4DecompressInto(block.subarray(0, 1000), 0, 1000, target, 0, bytes.length)).toThrow(RangeError)
  expect(() => lz4DecompressInto(block.subarray(0, 5), 0, 5, target, 0, 10)).toThrow(RangeError)
})

test.each([
  ["nothing at all", [], 0],
  ["literals behind the end of the block", [0x50, 1, 2], 5],
  ["more literals than the target takes", [0x30, 1, 2, 3], 2],
  ["a length that never ends", [0xf0, 255, 255], 1000],
  ["half of an offset", [0x10, 1, 1], 20],
  ["offset 0", [0x10, 1, 0, 0, 0x10, 1], 6],
  ["an offset before the first byte", [0x10, 1, 2, 0, 0x10, 1], 6],
  ["a match longer than the target", [0x1f, 1, 1, 0, 200, 0x10, 1], 30],
] as const)("refused: %s", (_what, block, size) => {
  expect(decompressed(Uint8Array.from(block), size)).toBe(-1)
})

test("a dictionary saves what it holds, and only whoever has it can decompress", () => {
  fc.assert(fc.property(plain, plain, (dictionary, bytes) => {
    const block = Buffer.from(lz4.compress(bytes, dictionary))
    const target = Buffer.alloc(bytes.length)
    expect(lz4.decompress(block, 0, block.length, target, 0, bytes.length, dictionary)).toBe(bytes.length)
    expect(target.equals(bytes)).toBe(true)
  }), { numRuns: 200 })
  const row = Buffer.from("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
  const block = Buffer.from(lz4.compress(row, row))
  expect(block.length).toBeLessThan(row.length / 3)
  expect(decompressed(block, row.length)).toBe(-1)
})
