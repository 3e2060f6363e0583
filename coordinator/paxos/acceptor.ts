// One replica's part in Paxos on one partition, as pure functions: state and message in, state and answer out. Whoever
// calls them makes the new state durable before the answer leaves.
//
// 1. Prepare: a ballot later than all seen is promised: nothing earlier will be accepted. The answer tells what was accepted
//    and what was committed last. Asked again with the ballot promised last, the answer is the same.
// 2. Propose: accepted unless something later was promised.
// 3. Commit: what a quorum accepted, remembered so that replicas that missed it can be told.
import { type Ballot, equalBallots, isAfter, laterBallot } from "./ballot.ts"

export interface Proposal {
  readonly ballot: Ballot
  /** Metadata epoch of who made it: what was proposed before a TRUNCATE is void. */
  readonly epoch: number
  /** A mutation of the partition; empty: nothing changes. */
  readonly update: Buffer
}

export interface AcceptorState {
  /** The latest ballot of any message. */
  readonly promised: Ballot | null
  readonly accepted: Proposal | null
  readonly committed: Proposal | null
}

export interface PrepareAnswer {
  readonly promised: boolean
  /** The latest ballot promised; the asker's own when it was. */
  readonly ballot: Ballot | null
  readonly accepted: Proposal | null
  readonly committed: Proposal | null
}

export interface ProposeAnswer {
  readonly accepted: boolean
  /** The latest ballot promised. */
  readonly ballot: Ballot | null
}

export const NO_STATE: AcceptorState = { promised: null, accepted: null, committed: null }

/** `state` is the same object when nothing is to be kept. */
export function prepare(state: AcceptorState, ballot: Ballot): { readonly state: AcceptorState; readonly answer: PrepareAnswer } {
  const { promised, accepted, committed } = state
  if (isAfter(ballot, promised)) return { state: { ...state, promised: ballot }, answer: { promised: true, ballot, accepted, committed } }
  const again = promised !== null && equalBallots(promised, ballot)
  return { state, answer: { promised: again, ballot: promised, accepted, committed } }
}

export function propose(state: AcceptorState, proposal: Proposal): { readonly state: AcceptorState; readonly answer: ProposeAnswer } {
  const { promised, accepted } = state
  const { ballot } = proposal
  const fits = isAfter(ballot, promised) || (promised !== null && equalBallots(promised, ballot))
  if (!fits) return { state, answer: { accepted: false, ballot: promised } }
  // The same message again.
  if (accepted !== null && equalBallots(accepted.ballot, ballot)) return { state, answer: { accepted: true, ballot } }
  return { state: { ...state, promised: ballot, accepted: proposal }, answer: { accepted: true, ballot } }
}

export function commit(state: AcceptorState, proposal: Proposal): AcceptorState {
  const { accepted, committed } = state
  const isNewer = isAfter(proposal.ballot, committed?.ballot ?? null)
  return {
    promised: laterBallot(state.promised, proposal.ballot),
    // What was accepted before is settled.
    accepted: accepted !== null && isAfter(accepted.ballot, proposal.ballot) ? accepted : null,
    committed: isNewer ? proposal : committed,
  }
}
