// The memory of all memtables of a store: counts its bytes, and keeps pieces that were given back for the next memtable.
//
// Pieces are shared memory, which the collector does not count: it would run when it likes, and until then a node that is
// written to would hold the memory of memtables flushed long ago. So memtables give theirs back once they are flushed. Pieces
// come in few sizes (slab.ts, partition-index.ts) and are kept by size, up to the limit of the memtables that take writes.
export class MemorySpace {
  /** Of active and frozen memtables together. */
  bytes = 0
  /** Of frozen ones: they are on their way out. */
  frozenBytes = 0
  /** Kept for later. */
  freeBytes = 0
  readonly limitBytes: number
  readonly #free = new Map<number, SharedArrayBuffer[]>()

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  /** Time to flush: those that take writes are over the limit. */
  get isFull(): boolean {
    return this.bytes - this.frozenBytes > this.limitBytes
  }
  /** Time to wait: the disk does not keep up. */
  get isOverfull(): boolean {
    return this.bytes > 2 * this.limitBytes
  }

  /** Memory of that size; not counted in `bytes`. What was in it may still be there. */
  take(size: number): SharedArrayBuffer {
    const memory = this.#free.get(size)?.pop()
    if (memory === undefined) return new SharedArrayBuffer(size)
    this.freeBytes -= size
    return memory
  }

  /** REQUIRES: nobody reads or writes it any more, no worker either. */
  give(memory: SharedArrayBuffer): void {
    const size = memory.byteLength
    if (this.freeBytes + size > this.limitBytes) return
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [memory])
    else free.push(memory)
    this.freeBytes += size
  }
}
