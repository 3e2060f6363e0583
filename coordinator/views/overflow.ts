// Obligations for which there was no room in memory. Nothing of them is kept but the number of their log segment, which is held:
// they are in it. When there is room again the oldest such segment is read, and all its obligations are owed once more, also
// those that were discharged long since: telling twice changes nothing.
//
// INVARIANT: a segment with an obligation that is neither in memory nor discharged is here, and held.
import type { LocalStore, LogPosition, SegmentHold } from "../../data/local-store.ts"

interface Passed {
  readonly hold: SegmentHold
  count: number
}

export class Overflow {
  readonly #store: () => LocalStore
  /** By segment, the oldest first. */
  readonly #segments = new Map<number, Passed>()
  #count = 0
  #isReading = false

  constructor(store: () => LocalStore) {
    this.#store = store
  }

  /** How many obligations were passed over; one that was for several records counts as often. */
  get size(): number {
    return this.#count
  }

  /** An obligation of this segment is not kept. */
  pass(position: LogPosition): void {
    let passed = this.#segments.get(position.segment)
    if (passed === undefined) this.#segments.set(position.segment, (passed = { hold: this.#store().hold(position), count: 0 }))
    passed.count++
    this.#count++
  }

  /**
   * Reads the oldest segment and gives `take` its obligations with their position; does nothing while one is being read. `taken`
   * when all were and the segment's hold is let go; nothing is lost when it cannot be read now.
   */
  readNext(take: (bytes: Uint8Array, position: LogPosition) => void, taken: () => void): void {
    const next = this.#segments.entries().next()
    if (next.done === true || this.#isReading) return
    const [segment, passed] = next.value
    this.#isReading = true
    // What is passed over from now on is counted, and held, apart: the reading may be past its place.
    this.#segments.delete(segment)
    const position = { segment, offset: 0 }
    this.#store().obligationsIn(segment, (bytes) => take(bytes, position)).then(
      () => {
        this.#isReading = false
        this.#count -= passed.count
        passed.hold.release()
        taken()
      },
      () => {
        this.#isReading = false
        this.#putBack(segment, passed)
      },
    )
  }

  #putBack(segment: number, passed: Passed): void {
    const again = this.#segments.get(segment)
    if (again === undefined) {
      this.#segments.set(segment, passed)
      return
    }
    again.count += passed.count
    passed.hold.release()
  }
}
