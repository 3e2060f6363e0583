/** Counts the bytes of all memtables of a store. */
export class MemorySpace {
  /** Of active and frozen memtables together. */
  bytes = 0
  /** Of frozen ones: they are on their way out. */
  frozenBytes = 0
  readonly limitBytes: number

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
}
