// Work that goes on beside requests: told apart from them by its failures, which go to the store's owner, and ended with the store.
import type { StoreEvents } from "../data/local-store.ts"

export class Background {
  readonly #events: StoreEvents
  readonly #abort = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  isClosed = false

  constructor(events: StoreEvents) {
    this.#events = events
  }

  /** Aborted when the store closes. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  run(work: () => Promise<void>): void {
    const promise = work().catch((error: unknown) => this.#report(error))
    this.#running.add(promise)
    void promise.finally(() => this.#running.delete(promise))
  }

  close(): void {
    this.isClosed = true
    this.#abort.abort(new Error("the store is being closed"))
  }

  /** Resolves when nothing runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  #report(error: unknown): void {
    if (this.isClosed) return
    if (!(error instanceof Error)) throw error
    this.#events.failed?.(error)
  }
}
