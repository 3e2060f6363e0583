// Sizes that the model test does not reach: partitions of thousands of rows (chunked vectors, several blocks), thousands of
// partitions (shards, cursors over blocks), keys that share a token, rows larger than a slab, many range tombstones.
import { expect, test } from "vitest"
import { createSimulation } from "../../runtime/simulated/simulation.ts"
import { SimulatedRandom } from "../../runtime/simulated/simulated-random.ts"
import { tokenOf } from "../../data/token.ts"
import type { TableSchema } from "../../data/schema.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { openStore } from "../open-store.ts"
import type { Store } from "../store.ts"
import { COLUMN, TextSink, clusteringOf, commandOf, deletionAt, mutationOf, simplePut, slice, testTable } from "../testing.ts"

async function withStore(table: TableSchema, body: (store: Store, settle: <T>(promise: Promise<T>) => Promise<T>) => Promise<void>): Promise<void> {
  const simulation = createSimulation(1, { bodies: { flush, compact } })
  const { disk, clock, jobs } = simulation.start(1)
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    let done = false
    const settled = promise.finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    await simulation.run(() => done)
    return settled
  }
  const events = { obligation: () => undefined }
  const store = await settle(openStore({ disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables: [table], blockCacheBytes: 100_000, rowsPerShare: 1_000_000 }, events }))
  await body(store, settle)
  await settle(store.close())
}

function shuffled(count: number, seed: number): number[] {
  const random = new SimulatedRandom(seed)
  const numbers = Array.from({ length: count }, (_, index) => index)
  for (let at = count - 1; at > 0; at--) {
    const other = random.below(at + 1)
    ;[numbers[at], numbers[other]] = [numbers[other] as number, numbers[at] as number]
  }
  return numbers
}

/** The clusterings of the rows that a read of the partition finds. */
function clusterings(store: Store, spec: Parameters<typeof commandOf>[0]): number[] {
  const sink = new TextSink()
  void store.read(commandOf(spec), sink)
  return sink.lines.filter((line) => line.startsWith("  ") && line !== "  .").map((line) => Number(line.trim().split(" ")[0]))
}

function upTo(start: number, end: number): number[] {
  return Array.from({ length: Math.max(end - start, 0) }, (_, index) => start + index)
}

test.each([
  ["in order", false, upTo(0, 6000)], ["backwards", false, upTo(0, 6000).toReversed()], ["at random", false, shuffled(6000, 7)], ["at random, DESC", true, shuffled(6000, 8)],
] as const)("a partition of 6000 rows, written %s, in memory and in several SSTables", async (_name, reversed, order) => {
  const table = testTable({ reversed })
  await withStore(table, async (store, settle) => {
    const check = (): void => {
      const sorted = reversed ? upTo(0, 6000).toReversed() : upTo(0, 6000)
      expect(clusterings(store, { table, key: "wide" })).toEqual(sorted)
      expect(clusterings(store, { table, key: "wide", reversed: true })).toEqual(sorted.toReversed())
      for (const [low, high] of [[0, 0], [5999, 5999], [254, 257], [1000, 3000], [2999, 2999]] as const) {
        const [start, end] = reversed ? [high, low] : [low, high]
        const wanted = reversed ? upTo(low, high + 1).toReversed() : upTo(low, high + 1)
        expect(clusterings(store, { table, key: "wide", slices: [slice(start, end)] })).toEqual(wanted)
        expect(clusterings(store, { table, key: "wide", slices: [slice(start, end)], reversed: true })).toEqual(wanted.toReversed())
        expect(clusterings(store, { table, key: "wide", slices: [slice(start, end, false, false)] })).toEqual(wanted.slice(1, -1))
      }
      // A page from the middle.
      const after = { token: tokenOf(Buffer.from("wide")), key: Buffer.from("wide"), clustering: clusteringOf(3000) }
      const place = sorted.indexOf(3000)
      expect(clusterings(store, { table, key: "wide", after, limit: 5 })).toEqual(sorted.slice(place + 1, place + 6))
      expect(clusterings(store, { table, key: "wide", after, limit: 5, reversed: true })).toEqual(sorted.slice(place - 5, place).toReversed())
    }
    order.forEach((clustering, index) => store.apply(simplePut("wide", clustering, 1, `value ${index}`), "client", null))
    store.apply(simplePut("after", 1, 1, "x"), "client", null)
    store.apply(simplePut("before", 1, 1, "x"), "client", null)
    check()
    await settle(store.flush())
    check()
    // Half of them again, in another SSTable, and a few on top in memory.
    for (const clustering of order.slice(0, 3000)) store.apply(simplePut("wide", clustering, 2, "newer"), "client", null)
    await settle(store.flush())
    for (const clustering of order.slice(0, 10)) store.apply(simplePut("wide", clustering, 3, "newest"), "client", null)
    check()
    const sink = new TextSink()
    void store.read(commandOf({ table, key: "wide", slices: [slice(order[5] as number, order[5] as number)] }), sink)
    expect(sink.lines[1]).toContain("newest@3")
    expect(clusterings(store, { table }).length).toBe(6002)
  })
})

test("20,000 partitions are found one by one, in token order and in ranges", async () => {
  const table = testTable()
  await withStore(table, async (store, settle) => {
    const keys = upTo(0, 20_000).map((number) => `key ${number}`)
    const inOrder = keys.toSorted((x, y) => {
      const a = tokenOf(Buffer.from(x))
      const b = tokenOf(Buffer.from(y))
      return a.high - b.high || a.low - b.low
    })
    const keysOf = (spec: Partial<Parameters<typeof commandOf>[0]>): string[] => {
      const sink = new TextSink()
      void store.read(commandOf({ table, ...spec }), sink)
      return sink.lines.filter((line) => !line.startsWith(" "))
    }
    const check = (): void => {
      expect(keysOf({})).toEqual(inOrder)
      for (let index = 0; index < keys.length; index += 97) expect(clusterings(store, { table, key: keys[index] as string })).toEqual([index % 5])
      expect(clusterings(store, { table, key: "absent" })).toEqual([])
      const tokenAt = (index: number): ReturnType<typeof tokenOf> => tokenOf(Buffer.from(inOrder[index] as string))
      expect(keysOf({ range: { start: tokenAt(100), end: tokenAt(200) } })).toEqual(inOrder.slice(101, 201))
      expect(keysOf({ range: { start: tokenAt(19_990), end: tokenAt(10) } }).toSorted()).toEqual([...inOrder.slice(19_991), ...inOrder.slice(0, 11)].toSorted())
      const after = { token: tokenAt(500), key: Buffer.from(inOrder[500] as string), clustering: null }
      expect(keysOf({ after, limit: 3 })).toEqual(inOrder.slice(501, 504))
    }
    keys.forEach((key, index) => store.apply(simplePut(key, index % 5, 1, `value ${index}`), "client", null))
    check()
    await settle(store.flush())
    check()
    keys.slice(0, 5000).forEach((key, index) => store.apply(simplePut(key, index % 5, 2, "again"), "client", null))
    await settle(store.flush())
    check()
  })
})

const MASK = (1n << 64n) - 1n
const C1 = 0x87c37b91114253d5n
const C2 = 0x4cf5ad432745937fn
const rotateLeft = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK
const rotateRight = (value: bigint, bits: bigint): bigint => rotateLeft(value, 64n - bits)
/** Of an odd number modulo 2^64, by Newton's iteration. */
function inverse(value: bigint): bigint {
  let result = value
  for (let round = 0; round < 6; round++) result = (result * (2n - value * result)) & MASK
  return result
}
const mixed = (k1: bigint, k2: bigint): [bigint, bigint] => [(rotateLeft((k1 * C1) & MASK, 31n) * C2) & MASK, (rotateLeft((k2 * C2) & MASK, 33n) * C1) & MASK]
function step([h1, h2]: [bigint, bigint], [m1, m2]: [bigint, bigint]): [bigint, bigint] {
  const first = ((rotateLeft(h1 ^ m1, 27n) + h2) * 5n + 0x52dce729n) & MASK
  return [first, ((rotateLeft(h2 ^ m2, 31n) + first) * 5n + 0x38495ab5n) & MASK]
}

/** A key of 32 bytes that begins as told and has the token of every other key made here: Murmur3's steps can be undone, so that the second half can be chosen to fit. */
function collidingKey(start: string): Buffer {
  const key = Buffer.alloc(32)
  key.write(start.padEnd(16))
  const [h1, h2] = step([0n, 0n], mixed(key.readBigUInt64LE(0), key.readBigUInt64LE(8)))
  const [wanted1, wanted2] = [12_345n, 67_890n]
  const by5 = inverse(5n)
  const m1 = h1 ^ rotateRight((((wanted1 - 0x52dce729n) * by5 - h2) & MASK), 27n)
  const m2 = h2 ^ rotateRight((((wanted2 - 0x38495ab5n) * by5 - wanted1) & MASK), 31n)
  key.writeBigUInt64LE((rotateRight((m1 * inverse(C2)) & MASK, 31n) * inverse(C1)) & MASK, 16)
  key.writeBigUInt64LE((rotateRight((m2 * inverse(C1)) & MASK, 33n) * inverse(C2)) & MASK, 24)
  return key
}

test("keys that share a token are different partitions, in the order of their bytes", async () => {
  const table = testTable()
  await withStore(table, async (store, settle) => {
    const names = ["m", "a", "z", "ab", "c"]
    const token = tokenOf(collidingKey("a"))
    for (const name of names) {
      expect(tokenOf(collidingKey(name))).toEqual(token)
      const placeholder = "_".repeat(32)
      const mutation = simplePut(placeholder, 1, 1, name)
      collidingKey(name).copy(mutation, mutation.indexOf(placeholder))
      mutation.writeInt32BE(token.high, 8)
      mutation.writeUInt32BE(token.low, 12)
      store.apply(mutation, "client", null)
    }
    const check = (): void => {
      for (const name of names) {
        const sink = new TextSink()
        void store.read({ ...commandOf({ table }), target: { kind: "partition", token, key: collidingKey(name) } }, sink)
        expect(sink.lines[1]).toContain(`=${name}@1`)
      }
      const all = (after: string | null): (string | undefined)[] => {
        const sink = new TextSink()
        void store.read(commandOf({ table, after: after === null ? null : { token, key: collidingKey(after), clustering: null } }), sink)
        return sink.lines.filter((line) => line.startsWith("  1 ")).map((line) => /=(\w+)@1/.exec(line)?.[1])
      }
      expect(all(null)).toEqual(["a", "ab", "c", "m", "z"])
      expect(all("ab")).toEqual(["c", "m", "z"])
      expect(all("b")).toEqual(["c", "m", "z"])
      expect(all("z")).toEqual([])
    }
    check()
    await settle(store.flush())
    check()
  })
})

test("rows larger than a slab and blocks larger than a block", async () => {
  const table = testTable()
  await withStore(table, async (store, settle) => {
    const large = "x".repeat(3 << 20)
    store.apply(simplePut("k", 1, 1, "small"), "client", null)
    store.apply(simplePut("k", 2, 1, large), "client", null)
    store.apply(simplePut("k", 3, 1, "small"), "client", null)
    store.apply(simplePut("l", 3, 1, large), "client", null)
    const check = (): void => {
      const sink = new TextSink()
      void store.read(commandOf({ table, key: "k" }), sink)
      expect(sink.lines.map((line) => line.length)).toEqual([1, 22, large.length + 17, 22, 3])
      expect(clusterings(store, { table, key: "l" })).toEqual([3])
      expect(clusterings(store, { table, key: "k", reversed: true, slices: [slice(2, 3)] })).toEqual([3, 2])
    }
    check()
    await settle(store.flush())
    check()
    expect(() => store.apply(simplePut("k", 4, 1, "y".repeat(17 << 20)), "client", null)).toThrow("Mutation of 17825")
  })
})

test("thousands of range tombstones stay what they are, over blocks and rewritings", async () => {
  const table = testTable()
  await withStore(table, async (store, settle) => {
    for (let at = 0; at < 3000; at++) {
      const tombstone = { start: clusteringOf(at * 10), startInclusive: true, end: clusteringOf(at * 10 + 4), endInclusive: true, deletion: deletionAt(5) }
      store.apply(mutationOf({ key: "k", tombstones: [tombstone] }), "client", null)
    }
    for (let at = 0; at < 3000; at++) store.apply(simplePut("k", at * 10 + (at % 2 === 0 ? 2 : 7), 3, "v"), "client", null)
    store.apply(mutationOf({ key: "k", rows: [{ clustering: null, timestamp: 1, cells: [{ column: COLUMN.fixed, value: "s" }] }] }), "client", null)
    const check = (): void => {
      const sink = new TextSink()
      void store.read(commandOf({ table, key: "k", slices: [slice(10_000, 10_019)] }), sink)
      expect(sink.lines).toEqual(["k", "  [10000, 10004] deleted@5", "  [10010, 10014] deleted@5", "  static 2=s@1", "  10017 marker@3 3=v@3", "  ."])
      expect(clusterings(store, { table, key: "k" }).filter((clustering) => clustering % 10 === 7).length).toBe(1500)
    }
    check()
    await settle(store.flush())
    check()
  })
})
