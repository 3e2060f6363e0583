// Obligations that are not kept in memory. Nothing of them is kept but the number of their log segment, which is held: they are in
// it. Of two kinds:
//
//   untold   there was no room for them; nobody has been told
//   parked   every owner that is up has been told; the others are down, and may be for long
//
// When there is room the oldest segment with untold ones, or with some that are parked for an owner that is up by now, is
// read, and all its obligations are owed once more, also those that were discharged long since: telling twice changes nothing.
//
// INVARIANT: a segment with an obligation that is neither in memory nor discharged is here, and held.
import type { LocalStore, LogPosition, SegmentHold } from "../../data/local-store.ts"

interface Passed {
  readonly hold: SegmentHold
  count: number
  isUntold: boolean
  /** Whom its parked ones wait for. */
  readonly targets: Set<number>
}

export class Overflow {
  readonly #store: () => LocalStore
  /** By segment, in the order in which they came. */
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

  /** There was no room for an obligation of this segment. */
  pass(segment: number): void {
    this.#at(segment).isUntold = true
  }

  /** An obligation of this segment is owed to nobody but these, who are down. */
  park(segment: number, targets: readonly number[]): void {
    const passed = this.#at(segment)
    for (const target of targets) passed.targets.add(target)
  }

  /** Owners have changed: whoever waited for one that is none any more must look for another. */
  ownersChanged(): void {
    for (const passed of this.#segments.values()) passed.isUntold = true
  }

  /**
   * Reads the oldest segment that has something to tell and gives `take` its obligations with their position; does nothing while
   * one is being read. `taken` when all were and the segment's hold is let go; nothing is lost when it cannot be read now.
   */
  readNext(isAlive: (node: number) => boolean, take: (bytes: Uint8Array, position: LogPosition) => void, taken: () => void): void {
    if (this.#isReading) return
    for (const [segment, passed] of this.#segments) {
      if (!passed.isUntold && !someAlive(passed.targets, isAlive)) continue
      this.#read(segment, passed, take, taken)
      return
    }
  }

  #read(segment: number, passed: Passed, take: (bytes: Uint8Array, position: LogPosition) => void, taken: () => void): void {
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

  #at(segment: number): Passed {
    let passed = this.#segments.get(segment)
    if (passed === undefined) {
      passed = { hold: this.#store().hold({ segment, offset: 0 }), count: 0, isUntold: false, targets: new Set() }
      this.#segments.set(segment, passed)
    }
    passed.count++
    this.#count++
    return passed
  }

  #putBack(segment: number, passed: Passed): void {
    const again = this.#segments.get(segment)
    if (again === undefined) {
      this.#segments.set(segment, passed)
      return
    }
    again.count += passed.count
    again.isUntold = again.isUntold || passed.isUntold
    for (const target of passed.targets) again.targets.add(target)
    passed.hold.release()
  }
}

function someAlive(targets: ReadonlySet<number>, isAlive: (node: number) => boolean): boolean {
  for (const target of targets) if (isAlive(target)) return true
  return false
}
