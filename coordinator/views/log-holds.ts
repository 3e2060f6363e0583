// Keeps the log segments that open obligations have their records in. An obligation holds one segment: that of its first
// record, and of a newer one once that is durable, for only then does the log need the older no more.
import type { LocalStore, LogPosition } from "../../data/local-store.ts"
import type { Clock } from "../../runtime/clock.ts"
import type { Obligation, SharedHold } from "./outbox-obligation.ts"

interface Move {
  readonly obligation: Obligation
  readonly to: SharedHold
}

export class LogHolds {
  readonly #store: () => LocalStore
  readonly #clock: Clock
  readonly #bySegment = new Map<number, SharedHold>()
  /** The last one asked for: nearly always the one asked for next. */
  #last: SharedHold | null = null
  /** Obligations with a newer record in another segment, of this turn: they wait for one sync together. */
  #moves: Move[] = []
  #movesPosition: LogPosition | null = null

  constructor(store: () => LocalStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** The obligation has a record at the position. */
  keep(obligation: Obligation, position: LogPosition): void {
    const { hold } = obligation
    if (hold === null) obligation.hold = this.#take(position)
    else if (hold.segment !== position.segment) this.#move(obligation, position)
  }

  /** The obligation is discharged. */
  letGo(obligation: Obligation): void {
    if (obligation.hold !== null) this.#release(obligation.hold)
    obligation.hold = null
  }

  #move(obligation: Obligation, position: LogPosition): void {
    if (this.#moves.length === 0) this.#clock.atTurnEnd(() => this.#awaitDurable())
    this.#moves.push({ obligation, to: this.#take(position) })
    this.#movesPosition = position
  }

  #awaitDurable(): void {
    const moves = this.#moves
    this.#moves = []
    this.#store().onDurable(this.#movesPosition as LogPosition, () => {
      for (const { obligation, to } of moves) {
        const from = obligation.hold
        // Discharged meanwhile, or there already.
        if (from === null || obligation.version === 0) this.#release(to)
        else {
          obligation.hold = to
          this.#release(from)
        }
      }
    })
  }

  #take(position: LogPosition): SharedHold {
    let hold = this.#last
    if (hold === null || hold.segment !== position.segment || hold.users === 0) {
      hold = this.#bySegment.get(position.segment) ?? { segment: position.segment, hold: this.#store().hold(position), users: 0 }
      this.#bySegment.set(position.segment, hold)
      this.#last = hold
    }
    hold.users++
    return hold
  }

  #release(hold: SharedHold): void {
    if (--hold.users > 0) return
    this.#bySegment.delete(hold.segment)
    hold.hold.release()
  }
}
