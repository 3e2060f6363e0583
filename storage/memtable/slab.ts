// Memory of a memtable: slabs of shared memory from which records are carved and never given back one by one, only all
// together when the memtable is flushed. A record
// is named by its address, a positive 31-bit integer: the slab's index above, the offset in units of 8 bytes below.
// Shared memory, so that the flush reads the same bytes from a worker thread without a copy.
//
// The first slabs are small, so that a table with three rows costs 16 KiB; a record larger than a slab gets one of its own.
// Address 0 is never given out: it means "none" in every link.
import { Buffer } from "../../runtime/pure.ts"
import type { MemorySpace } from "./memory-space.ts"

const UNIT_BYTES = 8
const UNIT_SHIFT = 3
const SLAB_SHIFT = 17
const UNIT_MASK = (1 << SLAB_SHIFT) - 1
export const SLAB_BYTES = UNIT_BYTES << SLAB_SHIFT
const FIRST_SLAB_BYTES = SLAB_BYTES / 64

export class SlabArena {
  /** By slab index: the same memory as bytes and as native 32-bit integers. */
  readonly buffers: Buffer[] = []
  readonly ints: Int32Array[] = []
  /** Bytes of all slabs. */
  totalBytes = 0
  #next = 0
  #end = 0
  readonly #space: MemorySpace | null

  /** `space` counts the slabs along; null: nobody does. */
  constructor(space: MemorySpace | null) {
    this.#space = space
  }

  /** An arena over slabs that another thread fills or has filled. Reading only. */
  static attach(slabs: readonly SharedArrayBuffer[]): SlabArena {
    const arena = new SlabArena(null)
    for (const slab of slabs) arena.#addSlab(slab)
    return arena
  }

  get slabs(): SharedArrayBuffer[] {
    return this.ints.map((view) => view.buffer as SharedArrayBuffer)
  }

  /** The address of `bytes` new bytes, 8-byte aligned. They may hold anything: zeroing whole slabs costs a row 0.1 us. */
  allocate(bytes: number): number {
    const units = (bytes + UNIT_BYTES - 1) >>> UNIT_SHIFT
    const address = this.#next
    if (address + units > this.#end) return this.#allocateInNewSlab(units)
    this.#next = address + units
    return address
  }

  #allocateInNewSlab(units: number): number {
    const index = this.buffers.length
    const regular = Math.min(SLAB_BYTES, FIRST_SLAB_BYTES << Math.min(2 * index, 10))
    // One unit more at the very start keeps address 0 free.
    const first = index === 0 ? 1 : 0
    const capacity = Math.max(regular >>> UNIT_SHIFT, units + first)
    const bytes = capacity << UNIT_SHIFT
    this.#addSlab(this.#space === null ? new SharedArrayBuffer(bytes) : this.#space.take(bytes))
    const address = (index << SLAB_SHIFT) + first
    // What is left of the previous slab is lost: on average half a row.
    if (capacity <= UNIT_MASK + 1) {
      this.#next = address + units
      this.#end = (index << SLAB_SHIFT) + capacity
    } else {
      // An oversized record: offsets behind it would not fit an address.
      this.#next = this.#end = 0
    }
    return address
  }

  /** Gives all memory back; whoever still reads then finds no slab at all. REQUIRES: as MemorySpace.give. */
  release(): void {
    for (const slab of this.slabs) this.#space?.give(slab)
    this.buffers.length = 0
    this.ints.length = 0
    this.#next = this.#end = 0
  }

  #addSlab(slab: SharedArrayBuffer): void {
    this.buffers.push(Buffer.from(slab))
    this.ints.push(new Int32Array(slab))
    this.totalBytes += slab.byteLength
    if (this.#space !== null) this.#space.bytes += slab.byteLength
  }
}

/** Index of the address's slab in `buffers` and `ints`. */
export function slabOf(address: number): number {
  return address >>> SLAB_SHIFT
}
/** Where the record starts within its slab, in bytes. */
export function byteOf(address: number): number {
  return (address & UNIT_MASK) << UNIT_SHIFT
}
/** Where the record starts within its slab, in 32-bit integers. */
export function intOf(address: number): number {
  return (address & UNIT_MASK) << (UNIT_SHIFT - 2)
}
