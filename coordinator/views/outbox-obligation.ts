// An obligation as the outbox keeps it.
import type { SegmentHold } from "../../data/local-store.ts"
import type { Buffer } from "../../runtime/pure.ts"

/** One log segment's hold, shared by the obligations in it. */
export interface SharedHold {
  readonly segment: number
  readonly hold: SegmentHold
  users: number
}

export interface Obligation {
  /** See nameOf in obligation.ts. */
  readonly name: string
  /** Its newest record, as obligation.ts lays it out. */
  bytes: Buffer
  /** Different for each record; 0 when it is discharged. An acknowledgement counts for the version that was sent. */
  version: number
  /** Who owned the view key when `missing` was made or last corrected. */
  owners: readonly number[]
  /** Owners that have not acknowledged `version`; null: not resolved yet. */
  missing: number[] | null
  /** Waits to be resolved. */
  isReady: boolean
  /** Targets in whose queues it waits. */
  readonly waitsFor: number[]
  /** Of the segment of its newest durable record, or of its first. */
  hold: SharedHold | null
  onDone: (() => void) | null
}
