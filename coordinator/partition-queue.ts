// Work on partitions, one after the other for each, in order of arrival; different partitions do not wait for each other.

export class PartitionQueue {
  /** The end of the queue of each partition that is being worked on. */
  readonly #ends = new Map<string, Promise<void>>()

  /** Settles as `work` does. */
  run<T>(table: number, key: Buffer, work: () => Promise<T>): Promise<T> {
    const name = `${table} ${key.toString("latin1")}`
    const before = this.#ends.get(name) ?? Promise.resolve()
    const running = before.then(work)
    const end = running.then(() => undefined, () => undefined).then(() => {
      if (this.#ends.get(name) === end) this.#ends.delete(name)
    })
    this.#ends.set(name, end)
    return running
  }
}
