// One ballot of one proposer, as a pure state machine: answers in, at most one effect out.
//
//   preparing ── a quorum promised ──> finishing (an older proposal may be decided: propose it again) ──> "finished"
//        │                       └──> ready ── `propose` ──> proposing ── a quorum accepted ──> "decided"
//        └── refused by too many ──> "contended"                  └── refused ──> "contended" or "uncertain"
//
// 1. Before anything new is proposed, whatever a quorum may have accepted is decided under this ballot.
// 2. Replicas that missed the last commit are told it first ("repair"): a read at a quorum must find it.
// 3. A proposal of our own that some accepted and too many refused is uncertain: another proposer may finish it. It must
//    not be tried again, or it might be applied twice. One that nobody accepted never will be.
import { type Ballot, isAfter, laterBallot } from "./ballot.ts"
import type { PrepareAnswer, Proposal, ProposeAnswer } from "./acceptor.ts"

export type Effect =
  /** Tell these nodes the commit; then the round is ready. */
  | { readonly kind: "repair"; readonly commit: Proposal; readonly nodes: readonly number[] }
  | { readonly kind: "ready" }
  /** Propose to all participants. */
  | { readonly kind: "propose"; readonly proposal: Proposal }
  /** Somebody else's proposal is decided: commit it, and start again. */
  | { readonly kind: "finished"; readonly proposal: Proposal }
  /** Ours is decided: commit it. */
  | { readonly kind: "decided"; readonly proposal: Proposal }
  /** Start again with a ballot after `newest`. */
  | { readonly kind: "contended"; readonly newest: Ballot | null }
  | { readonly kind: "uncertain"; readonly accepted: number }

export class ProposerRound {
  readonly ballot: Ballot
  readonly #participants: readonly number[]
  readonly #required: number
  readonly #promises = new Map<number, PrepareAnswer>()
  #phase: "preparing" | "finishing" | "ready" | "proposing" | "over" = "preparing"
  #proposal: Proposal | null = null
  #newest: Ballot | null = null
  readonly #answered = new Set<number>()
  #accepted = 0

  /** `required`: a majority of all replicas, of which `participants` are those that are up. */
  constructor(ballot: Ballot, participants: readonly number[], required: number) {
    this.ballot = ballot
    this.#participants = participants
    this.#required = required
  }

  /** Who has not answered the current question. */
  get waiting(): readonly number[] {
    return this.#participants.filter((node) => !this.#answered.has(node))
  }

  prepared(from: number, answer: PrepareAnswer): Effect | null {
    if (this.#phase !== "preparing" || !this.#takes(from, answer.ballot)) return null
    if (answer.promised) this.#promises.set(from, answer)
    if (this.#promises.size >= this.#required) return this.#evaluate()
    return this.#promises.size + this.waiting.length < this.#required ? this.#contended() : null
  }

  /** Our own proposal. REQUIRES: the round is ready. */
  propose(update: Buffer, epoch: number): Effect {
    return this.#propose({ ballot: this.ballot, epoch, update }, "proposing")
  }

  proposed(from: number, answer: ProposeAnswer): Effect | null {
    const isOwn = this.#phase === "proposing"
    if ((!isOwn && this.#phase !== "finishing") || !this.#takes(from, answer.ballot)) return null
    const proposal = this.#proposal as Proposal
    if (answer.accepted) this.#accepted++
    if (this.#accepted >= this.#required) {
      this.#phase = "over"
      return { kind: isOwn ? "decided" : "finished", proposal }
    }
    const waiting = this.waiting.length
    if (this.#accepted + waiting >= this.#required) return null
    if (!isOwn || proposal.update.length === 0) return this.#contended()
    if (this.#accepted > 0) return this.#uncertain()
    return waiting === 0 ? this.#contended() : null
  }

  /** Nobody answers any more. */
  expire(): Effect {
    return this.#phase === "proposing" && (this.#proposal as Proposal).update.length > 0 ? this.#uncertain() : this.#contended()
  }

  #takes(from: number, newest: Ballot | null): boolean {
    if (this.#answered.has(from) || !this.#participants.includes(from)) return false
    this.#answered.add(from)
    this.#newest = laterBallot(this.#newest, newest)
    return true
  }

  #evaluate(): Effect {
    let committed: Proposal | null = null
    let accepted: Proposal | null = null
    for (const promise of this.#promises.values()) {
      if (promise.committed !== null && isAfter(promise.committed.ballot, committed?.ballot ?? null)) committed = promise.committed
      if (promise.accepted !== null && isAfter(promise.accepted.ballot, accepted?.ballot ?? null)) accepted = promise.accepted
    }
    if (accepted !== null && accepted.update.length > 0 && isAfter(accepted.ballot, committed?.ballot ?? null)) {
      return this.#propose({ ...accepted, ballot: this.ballot }, "finishing")
    }
    this.#phase = "ready"
    const last = committed
    if (last === null) return { kind: "ready" }
    const behind = [...this.#promises].filter(([, promise]) => isAfter(last.ballot, promise.committed?.ballot ?? null)).map(([node]) => node)
    return behind.length === 0 ? { kind: "ready" } : { kind: "repair", commit: last, nodes: behind }
  }

  #propose(proposal: Proposal, phase: "proposing" | "finishing"): Effect {
    this.#phase = phase
    this.#proposal = proposal
    this.#answered.clear()
    this.#accepted = 0
    return { kind: "propose", proposal }
  }

  #contended(): Effect {
    this.#phase = "over"
    return { kind: "contended", newest: this.#newest }
  }
  #uncertain(): Effect {
    this.#phase = "over"
    return { kind: "uncertain", accepted: this.#accepted }
  }
}
