// Finds a partition of a memtable by its token: open-addressed hash tables of (tokenHigh, tokenLow, address) in shared
// Int32Arrays, one per shard. A shard is a range of tokens by their upper bits, so that walking the shards in order and
// sorting each (a few thousand entries, under a millisecond) gives token order. A small table has one shard of 16 slots;
// a shard that is full doubles, and from SPLIT_SLOTS on splits in two, up to 256 shards: no single insert ever rehashes
// more than a few thousand entries.
//
// INVARIANT: the address of an occupied slot is not 0. Partitions whose keys share a token are one slot (memtable.ts links them).
import { assert } from "../../runtime/pure.ts"
import type { MemorySpace } from "./memory-space.ts"

const DIRECTORY_BITS = 8
const DIRECTORY_SIZE = 1 << DIRECTORY_BITS
const SLOT_INTS = 3
const FIRST_SLOTS = 16
const SPLIT_SLOTS = 8192

class Shard {
  /** Leading token bits that all entries share. */
  readonly bits: number
  slots: Int32Array
  mask: number
  count = 0
  /** Tokens in order as pairs (low, high); null after an insert. */
  sorted: Int32Array | null = null

  constructor(bits: number, slots: Int32Array) {
    this.bits = bits
    this.slots = slots
    this.mask = slots.length / SLOT_INTS - 1
  }
}

/** 0..255 in token order: the sign bit counts the other way round. */
function directoryIndex(tokenHigh: number): number {
  return (tokenHigh >>> (32 - DIRECTORY_BITS)) ^ (DIRECTORY_SIZE >>> 1)
}

/** What a worker needs to walk the index: the slot arrays in token order. */
export type PartitionIndexShards = readonly SharedArrayBuffer[]

export class PartitionIndex {
  readonly #directory: Shard[]
  /** Different tokens. */
  count = 0
  totalBytes = 0
  readonly #space: MemorySpace | null

  /** `space` counts the slots along; null: nobody does. */
  constructor(space: MemorySpace | null) {
    this.#space = space
    this.#directory = new Array<Shard>(DIRECTORY_SIZE).fill(new Shard(0, this.#newSlots(FIRST_SLOTS)))
  }

  /** The address stored for the token, 0 when there is none. */
  find(tokenHigh: number, tokenLow: number): number {
    const shard = this.#directory[directoryIndex(tokenHigh)] as Shard
    return shard.slots[slotOf(shard, tokenHigh, tokenLow) + 2] as number
  }

  /** Stores the address for the token, in place of the one it had. */
  set(tokenHigh: number, tokenLow: number, address: number): void {
    assert(address > 0, "an address")
    const shard = this.#directory[directoryIndex(tokenHigh)] as Shard
    const at = slotOf(shard, tokenHigh, tokenLow)
    const slots = shard.slots
    if (slots[at + 2] !== 0) {
      slots[at + 2] = address
      return
    }
    slots[at] = tokenHigh
    slots[at + 1] = tokenLow
    slots[at + 2] = address
    shard.count++
    shard.sorted = null
    this.count++
    if (shard.count * 10 > (shard.mask + 1) * 7) this.#makeRoom(shard, directoryIndex(tokenHigh))
  }

  /** The slot arrays in token order, for `sortedTokens` in a worker. */
  shards(): PartitionIndexShards {
    return this.#distinct().map((shard) => shard.slots.buffer as SharedArrayBuffer)
  }

  /** A walk in token order, from `seek` on. No insert may happen during it. */
  cursor(): TokenCursor {
    return new TokenCursor(this.#directory)
  }

  /** Gives all memory back. REQUIRES: as MemorySpace.give. */
  release(): void {
    for (const { slots } of this.#distinct()) this.#give(slots)
  }

  #distinct(): Shard[] {
    return this.#directory.filter((shard, index) => index === 0 || shard !== this.#directory[index - 1])
  }

  #makeRoom(shard: Shard, directory: number): void {
    const slots = shard.mask + 1
    if (slots < SPLIT_SLOTS || shard.bits === DIRECTORY_BITS) {
      const old = shard.slots
      shard.slots = this.#newSlots(slots * 2)
      shard.mask = slots * 2 - 1
      for (let at = 0; at < old.length; at += SLOT_INTS) if (old[at + 2] !== 0) place(shard, old, at)
      this.#dropSlots(old)
      return
    }
    this.#split(shard, directory)
  }

  #newSlots(count: number): Int32Array {
    const bytes = count * SLOT_INTS * 4
    this.totalBytes += bytes
    if (this.#space === null) return new Int32Array(new SharedArrayBuffer(bytes))
    this.#space.bytes += bytes
    return new Int32Array(this.#space.take(bytes)).fill(0)
  }

  #dropSlots(slots: Int32Array): void {
    this.totalBytes -= slots.byteLength
    if (this.#space !== null) this.#space.bytes -= slots.byteLength
    this.#give(slots)
  }
  #give(slots: Int32Array): void {
    this.#space?.give(slots.buffer as SharedArrayBuffer)
  }

  #split(shard: Shard, directory: number): void {
    const span = DIRECTORY_SIZE >>> shard.bits
    const from = directory - (directory % span)
    const lower = new Shard(shard.bits + 1, this.#newSlots(SPLIT_SLOTS))
    const upper = new Shard(shard.bits + 1, this.#newSlots(SPLIT_SLOTS))
    this.#directory.fill(lower, from, from + span / 2)
    this.#directory.fill(upper, from + span / 2, from + span)
    const old = shard.slots
    for (let at = 0; at < old.length; at += SLOT_INTS) {
      if (old[at + 2] === 0) continue
      const half = directoryIndex(old[at] as number) < from + span / 2 ? lower : upper
      place(half, old, at)
      half.count++
    }
    this.#dropSlots(old)
  }
}

/** See PartitionIndex.cursor. */
export class TokenCursor {
  high = 0
  low = 0
  readonly #directory: readonly Shard[]
  #index = 0
  #shard: Shard
  #pairs: Int32Array = new Int32Array(0)
  #at = 0

  constructor(directory: readonly Shard[]) {
    this.#directory = directory
    this.#shard = directory[0] as Shard
  }

  /** Moves to the first token at or after the given one (strictly after when `after`); its address, or 0 when there is none. */
  seek(tokenHigh: number, tokenLow: number, after: boolean): number {
    this.#enter(directoryIndex(tokenHigh))
    this.#at = lowerBound(this.#pairs, tokenHigh, tokenLow, after)
    return this.#current()
  }

  /** Moves to the next token; its address, or 0 at the end. */
  next(): number {
    this.#at += 2
    return this.#current()
  }

  #current(): number {
    while (this.#at >= this.#pairs.length) {
      const span = DIRECTORY_SIZE >>> this.#shard.bits
      const next = this.#index - (this.#index % span) + span
      if (next >= DIRECTORY_SIZE) return 0
      this.#enter(next)
      this.#at = 0
    }
    this.low = (this.#pairs[this.#at] as number) >>> 0
    this.high = this.#pairs[this.#at + 1] as number
    return this.#shard.slots[slotOf(this.#shard, this.high, this.low) + 2] as number
  }

  #enter(index: number): void {
    this.#index = index
    this.#shard = this.#directory[index] as Shard
    this.#shard.sorted ??= sortedTokens(this.#shard.slots, this.#shard.count)
    this.#pairs = this.#shard.sorted
  }
}

/** Where the token's slot starts, or the free slot where it would go. */
function slotOf(shard: Shard, tokenHigh: number, tokenLow: number): number {
  const slots = shard.slots
  const mask = shard.mask
  const low = tokenLow | 0
  let slot = (low ^ (low >>> 16)) & mask
  for (;;) {
    const at = slot * SLOT_INTS
    if (slots[at + 2] === 0 || (slots[at + 1] === low && slots[at] === tokenHigh)) return at
    slot = (slot + 1) & mask
  }
}

function place(shard: Shard, from: Int32Array, at: number): void {
  const to = slotOf(shard, from[at] as number, from[at + 1] as number)
  shard.slots[to] = from[at] as number
  shard.slots[to + 1] = from[at + 1] as number
  shard.slots[to + 2] = from[at + 2] as number
}

/**
 * The tokens of a slot array in order, as pairs (low, high). The sort is the engine's own over 64-bit integers: eight
 * times faster than any comparison in JavaScript, and no BigInt is ever made. REQUIRES: a little-endian machine.
 */
export function sortedTokens(slots: Int32Array, count: number): Int32Array {
  const tokens = new BigInt64Array(count)
  const pairs = new Int32Array(tokens.buffer)
  let to = 0
  for (let at = 0; at < slots.length; at += SLOT_INTS) {
    if (slots[at + 2] === 0) continue
    pairs[to++] = slots[at + 1] as number
    pairs[to++] = slots[at] as number
  }
  tokens.sort()
  return pairs
}

/** The address of a token in a slot array as `shards()` gives them; 0 when it is not there. */
export function findInSlots(slots: Int32Array, tokenHigh: number, tokenLow: number): number {
  const mask = slots.length / SLOT_INTS - 1
  let slot = (tokenLow ^ (tokenLow >>> 16)) & mask
  for (;;) {
    const at = slot * SLOT_INTS
    if (slots[at + 2] === 0 || (slots[at + 1] === tokenLow && slots[at] === tokenHigh)) return slots[at + 2] as number
    slot = (slot + 1) & mask
  }
}

/** Occupied slots. */
export function countSlots(slots: Int32Array): number {
  let count = 0
  for (let at = 2; at < slots.length; at += SLOT_INTS) if (slots[at] !== 0) count++
  return count
}

function lowerBound(pairs: Int32Array, tokenHigh: number, tokenLow: number, after: boolean): number {
  let low = 0
  let high = pairs.length >>> 1
  const wantedLow = tokenLow >>> 0
  while (low < high) {
    const middle = (low + high) >>> 1
    const candidateHigh = pairs[middle * 2 + 1] as number
    const candidateLow = (pairs[middle * 2] as number) >>> 0
    const before = candidateHigh !== tokenHigh ? candidateHigh < tokenHigh : after ? candidateLow <= wantedLow : candidateLow < wantedLow
    if (before) low = middle + 1
    else high = middle
  }
  return low * 2
}
