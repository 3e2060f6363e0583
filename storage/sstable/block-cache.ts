// Blocks of SSTables in memory, up to a number of bytes. They lie one behind the other in slabs; when the slabs are full
// the oldest is emptied: of its blocks those that were used since they came (at most half a slab of them) move to the
// new slab, the others are let go. A file keeps an array of its blocks, so that a hit is one array access and a mark.
//
// Reading a block into the cache allocates nothing but a small object: the reader asks `reserve` for room, writes the
// bytes there, and says `put`. With an array buffer for every block the collector had as much to do as the
// decompressor.
//
// Whose bytes: a slab that was emptied is filled again only in a later turn of the event loop. So whoever got a block
// may look at its bytes until the turn ends, whatever else is read meanwhile, and never longer. Without a
// clock (jobs, whose work goes on over many turns) slabs are never filled again, and the collector takes them.
import type { Clock } from "../../runtime/clock.ts"
import { Buffer } from "../../runtime/pure.ts"

/** Bytes in a slab, and what they mean. */
export interface CachedBlock {
  readonly bytes: Buffer
  /** Where the block begins in `bytes`, and its size. */
  readonly start: number
  readonly size: number
  /** The same block elsewhere. */
  movedTo(bytes: Buffer, start: number): CachedBlock
}

/** The cached blocks of one file, by index. */
export class CachedFile<Block extends CachedBlock = CachedBlock> {
  readonly blocks: (Block | null)[]
  /** Marks of use, by index. */
  readonly used: Uint8Array

  constructor(blockCount: number) {
    this.blocks = new Array<Block | null>(blockCount).fill(null)
    this.used = new Uint8Array(blockCount)
  }
}

const SMALLEST_SLAB_BYTES = 16 << 10
const LARGEST_SLAB_BYTES = 1 << 20
/** The capacity is so many slabs. */
const SLABS = 16
/** So many bytes of slabs are kept to be filled again, at least two slabs; what else is emptied in one turn is left to the collector. */
const FREE_BYTES = 8 << 20
const FREE_SLABS = 2
/** A walk through all levels of the index for every read would be wasted on a cache that holds none of it. */
const SMALLEST_INDEX_CACHE_BYTES = 1 << 20
const INDEX_SHARE = 8

/** For people: blocks found among those asked for since the start. */
export interface CacheFigures {
  readonly capacityBytes: number
  readonly bytes: number
  readonly entries: number
  readonly hits: number
  readonly requests: number
}

class Slab {
  readonly bytes: Buffer
  filled = 0
  /** What lies in it: parallel arrays. */
  readonly files: CachedFile[] = []
  readonly indexes: number[] = []

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

export class BlockCache {
  readonly #capacityBytes: number
  readonly #slabBytes: number
  readonly #mostFree: number
  readonly #clock: Clock | null
  /** Oldest first; the last one is being filled. */
  #slabs: Slab[] = []
  #bytes = 0
  /** Emptied in this turn. */
  #resting: Buffer[] = []
  readonly #free: Buffer[] = []
  #hits = 0
  #misses = 0
  #slab = new Slab(Buffer.alloc(0))

  constructor(capacityBytes: number, clock: Clock | null = null) {
    this.#capacityBytes = capacityBytes
    this.#slabBytes = Math.min(Math.max(Math.floor(capacityBytes / SLABS), SMALLEST_SLAB_BYTES), LARGEST_SLAB_BYTES)
    this.#mostFree = Math.max(Math.floor(FREE_BYTES / this.#slabBytes), FREE_SLABS)
    this.#clock = clock
  }

  /** Of all slabs, full or not. */
  get bytes(): number {
    return this.#bytes
  }
  get figures(): CacheFigures {
    let entries = 0
    for (const slab of this.#slabs) for (let at = 0; at < slab.files.length; at++) if (isIn(slab, slab.files[at] as CachedFile, slab.indexes[at] as number)) entries++
    return { capacityBytes: this.#capacityBytes, bytes: this.#bytes, entries, hits: this.#hits, requests: this.#hits + this.#misses }
  }
  /** A cache of its own for the index blocks of the same files: many blocks that are read once must not push them out. */
  get index(): BlockCache {
    this.#index ??= new BlockCache(Math.max(Math.floor(this.#capacityBytes / INDEX_SHARE), SMALLEST_INDEX_CACHE_BYTES), this.#clock)
    return this.#index
  }
  #index: BlockCache | null = null

  get<Block extends CachedBlock>(file: CachedFile<Block>, index: number): Block | null {
    const block = file.blocks[index] as Block | null
    if (block === null) this.#misses++
    else {
      file.used[index] = 1
      this.#hits++
    }
    return block
  }

  /** Makes room for a block: `reservedBytes` at `reservedAt`. It is kept only when `put` follows before anything else is reserved. */
  reserve(size: number): void {
    if (this.#slab.filled + size > this.#slab.bytes.length) this.#nextSlab(size)
  }
  get reservedBytes(): Buffer {
    return this.#slab.bytes
  }
  get reservedAt(): number {
    return this.#slab.filled
  }

  /** Keeps a block that lies where `reserve` said. */
  put<Block extends CachedBlock>(file: CachedFile<Block>, index: number, block: Block): void {
    const slab = this.#slab
    slab.filled += block.size
    slab.files.push(file as unknown as CachedFile)
    slab.indexes.push(index)
    file.blocks[index] = block
    file.used[index] = 0
  }

  /** Lets go of all blocks of a file that is gone. Slabs in which nothing is left are free at once, the room in others when their turn comes. */
  forget<Block extends CachedBlock>(file: CachedFile<Block>): void {
    file.blocks.fill(null)
    this.#slabs = this.#slabs.filter((slab) => {
      const isInUse = slab.files.some((other, at) => isIn(slab, other, slab.indexes[at] as number))
      if (!isInUse) this.#empty(slab)
      return isInUse
    })
    if (this.#slabs.at(-1) !== this.#slab) this.#slab = new Slab(Buffer.alloc(0))
  }

  #nextSlab(size: number): void {
    const bytes = Math.max(size, this.#slabBytes)
    const emptied: Slab[] = []
    while (this.#slabs.length > 0 && this.#bytes + bytes > this.#capacityBytes) {
      const oldest = this.#slabs.shift() as Slab
      this.#empty(oldest)
      emptied.push(oldest)
    }
    const next = new Slab(bytes === this.#slabBytes ? (this.#free.pop() ?? Buffer.allocUnsafeSlow(bytes)) : Buffer.allocUnsafeSlow(bytes))
    this.#slabs.push(next)
    this.#bytes += bytes
    this.#slab = next
    const room = Math.min(this.#slabBytes >>> 1, bytes - size)
    for (const slab of emptied) moveUsed(slab, next, room)
  }

  #empty(slab: Slab): void {
    this.#bytes -= slab.bytes.length
    if (this.#clock === null || slab.bytes.length !== this.#slabBytes || this.#resting.length + this.#free.length >= this.#mostFree) return
    if (this.#resting.length === 0) this.#clock.atTurnEnd(() => this.#rested())
    this.#resting.push(slab.bytes)
  }

  #rested(): void {
    this.#free.push(...this.#resting)
    this.#resting = []
  }
}

function isIn(slab: Slab, file: CachedFile, index: number): boolean {
  const block = file.blocks[index]
  return block !== null && block !== undefined && block.bytes === slab.bytes
}

/** Copies blocks that were used to the new slab, until `room` of it is taken; the others are gone. */
function moveUsed(from: Slab, to: Slab, room: number): void {
  for (let at = 0; at < from.files.length; at++) {
    const file = from.files[at] as CachedFile
    const index = from.indexes[at] as number
    const block = file.blocks[index] as CachedBlock | null
    if (block === null || block.bytes !== from.bytes) continue
    if (file.used[index] === 0 || to.filled + block.size > room) {
      file.blocks[index] = null
      continue
    }
    block.bytes.copy(to.bytes, to.filled, block.start, block.start + block.size)
    file.blocks[index] = block.movedTo(to.bytes, to.filled)
    file.used[index] = 0
    to.files.push(file)
    to.indexes.push(index)
    to.filled += block.size
  }
}
