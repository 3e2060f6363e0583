// An obligation as the outbox keeps it.
import type { SegmentHold } from "../../data/local-store.ts"
import type { Token } from "../../data/topology.ts"

/** One log segment's hold, shared by the obligations in it. */
export interface SharedHold {
  readonly segment: number
  readonly hold: SegmentHold
  users: number
}

export interface Obligation {
  /** See obligationName. */
  readonly name: string
  readonly base: number
  readonly view: number
  readonly key: Buffer
  readonly clustering: Buffer
  readonly viewKey: readonly Buffer[]
  /** Unique within this start of the node: what acknowledgements name. */
  version: number
  /** Of the view's partition. */
  token: Token | null
  /** Who owned the view key when `targets` was made or last corrected. */
  owners: readonly number[]
  /** Owners that have not acknowledged `version`; null: not resolved yet. */
  targets: Set<number> | null
  /** This node's own entry was in the log record. */
  selfWritten: boolean
  /** Records of it that are not durable yet: nothing is sent while there are any. */
  arriving: number
  /** Of the segment of its newest durable record. */
  hold: SharedHold | null
  onDone: (() => void) | null
}
