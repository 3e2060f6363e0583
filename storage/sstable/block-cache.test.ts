import { expect, test } from "vitest"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { BlockCache, type CachedBlock, CachedFile } from "./block-cache.ts"

class TestBlock implements CachedBlock {
  readonly bytes: Buffer
  readonly start: number
  readonly size: number
  constructor(bytes: Buffer, start: number, size: number) {
    this.bytes = bytes
    this.start = start
    this.size = size
  }
  movedTo(bytes: Buffer, start: number): TestBlock {
    return new TestBlock(bytes, start, this.size)
  }
  get content(): string {
    return this.bytes.toString("latin1", this.start, this.start + this.size)
  }
}

function put(cache: BlockCache, file: CachedFile<TestBlock>, index: number, content: string): TestBlock {
  cache.reserve(content.length)
  const block = new TestBlock(cache.reservedBytes, cache.reservedAt, content.length)
  block.bytes.write(content, block.start, "latin1")
  cache.put(file, index, block)
  return block
}

const CAPACITY = 256 << 10
const textOf = (index: number): string => String(index % 10).repeat(1000 + (index % 7) * 50)

test("what is cached is what was put, however often it moves; what is used stays", async () => {
  const clock = new SimulatedClock()
  const cache = new BlockCache(CAPACITY, clock)
  const file = new CachedFile<TestBlock>(2000)
  let hits = 0
  for (let index = 1; index < 2000; index++) {
    put(cache, file, index, textOf(index))
    for (const wanted of [1, 2, 3]) {
      const block = cache.get(file, wanted)
      if (block === null) continue
      hits++
      expect(block.content).toBe(textOf(wanted))
    }
    expect(cache.bytes).toBeLessThanOrEqual(CAPACITY)
    // Slabs are filled again from here on.
    if (index % 50 === 0) await clock.run(() => true)
  }
  expect(hits).toBeGreaterThan(1990 * 3)
  let held = 0
  for (let index = 0; index < 2000; index++) {
    const block = cache.get(file, index)
    if (block === null) continue
    held++
    expect(block.content).toBe(textOf(index))
  }
  expect(held).toBeGreaterThan(150)
  expect(held).toBeLessThan(270)
})

test("bytes that a reader looks at stay until its turn of the event loop ends", async () => {
  const clock = new SimulatedClock()
  const cache = new BlockCache(CAPACITY, clock)
  const file = new CachedFile<TestBlock>(3000)
  const first = put(cache, file, 0, "first".repeat(100))
  for (let index = 1; index < 1000; index++) put(cache, file, index, textOf(index))
  expect(cache.get(file, 0)).toBe(null)
  expect(first.content).toBe("first".repeat(100))
  // In later turns its slab has other blocks.
  let turns = 0
  clock.after(1, () => turns++)
  await clock.run(() => turns > 0)
  for (let index = 1000; index < 2000; index++) put(cache, file, index, textOf(index))
  expect(first.content).not.toBe("first".repeat(100))
})

test("without a clock no slab is filled twice", () => {
  const cache = new BlockCache(CAPACITY)
  const file = new CachedFile<TestBlock>(3000)
  const blocks = Array.from({ length: 3000 }, (_, index) => put(cache, file, index, textOf(index)))
  blocks.forEach((block, index) => expect(block.content === textOf(index)).toBe(true))
  expect(cache.bytes).toBeLessThanOrEqual(CAPACITY)
})

test("a block larger than a slab, and one larger than the cache", () => {
  const cache = new BlockCache(CAPACITY)
  const file = new CachedFile<TestBlock>(10)
  put(cache, file, 0, "small")
  put(cache, file, 1, "l".repeat(100_000))
  put(cache, file, 2, "x".repeat(2 * CAPACITY))
  expect(cache.get(file, 2)?.size).toBe(2 * CAPACITY)
  put(cache, file, 3, "after")
  expect(cache.get(file, 3)?.content).toBe("after")
  expect(cache.bytes).toBeLessThanOrEqual(CAPACITY)
})

test("a forgotten file leaves the others what they have, and its room", () => {
  const cache = new BlockCache(CAPACITY)
  const kept = new CachedFile<TestBlock>(10)
  const gone = new CachedFile<TestBlock>(100)
  put(cache, kept, 0, "kept")
  for (let index = 0; index < 60; index++) put(cache, gone, index, textOf(index))
  const before = cache.bytes
  cache.forget(gone)
  expect(cache.bytes).toBeLessThan(before)
  expect(cache.get(gone, 5)).toBe(null)
  expect(cache.get(kept, 0)?.content).toBe("kept")
  put(cache, kept, 1, "more")
  expect(cache.get(kept, 1)?.content).toBe("more")
  cache.forget(kept)
  expect(cache.bytes).toBe(0)
})
