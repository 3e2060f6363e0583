// One question of a round put to all participants: asked again while answers are missing (acceptors give the same answer to
// the same question), until the round has an effect or time is up.
import type { InFlight } from "../request-table.ts"
import type { Effect, ProposerRound } from "./proposer-round.ts"

export interface PaxosQuestion {
  /** Asks one node, under the exchange's current request id. */
  ask(node: number, requestId: number): void
  /** Takes the answer of a node: the payload from `at`. */
  take(from: number, bytes: Buffer, at: number): Effect | null
}

export class PaxosExchange implements InFlight {
  requestId = 0
  readonly round: ProposerRound
  readonly question: PaxosQuestion
  /** The latest metadata epoch of a replica that refused because this node is behind. */
  staleEpoch = 0
  readonly #deadlineMs: number
  readonly #again: (exchange: PaxosExchange) => void
  readonly #nowMs: () => number
  readonly #resolve: (effect: Effect) => void
  isDone = false

  constructor(round: ProposerRound, question: PaxosQuestion, deadlineMs: number, nowMs: () => number, again: (exchange: PaxosExchange) => void, resolve: (effect: Effect) => void) {
    this.round = round
    this.question = question
    this.#deadlineMs = deadlineMs
    this.#nowMs = nowMs
    this.#again = again
    this.#resolve = resolve
  }

  finish(effect: Effect): void {
    if (this.isDone) return
    this.isDone = true
    this.#resolve(effect)
  }

  expire(): void {
    if (this.isDone) return
    if (this.#nowMs() >= this.#deadlineMs || this.staleEpoch > 0) this.finish(this.round.expire())
    else this.#again(this)
  }
}
