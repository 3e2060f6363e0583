// Who is in the cluster and who owns what, as plain data.
import type { Epoch } from "./schema.ts"

/** -2^63..2^63-1 as two halves: `high` signed, `low` unsigned 32 bits. */
export interface Token {
  readonly high: number
  readonly low: number
}

/** Tokens in (start, end]; `start >= end` wraps around; equal bounds are the whole ring. */
export interface TokenRange {
  readonly start: Token
  readonly end: Token
}

export type NodeState = "joining" | "normal" | "leaving" | "left"

export interface NodeDescriptor {
  readonly node: number
  readonly hostId: string
  readonly state: NodeState
  readonly dataCenter: string
  readonly rack: string
  /** Where other nodes reach it. */
  readonly listenAddress: string
  readonly listenPort: number
  /** Where clients reach it. */
  readonly nativeAddress: string
  readonly nativePort: number
  readonly releaseVersion: string
  /** Decimal text, 64-bit signed. */
  readonly tokens: readonly string[]
  /** Epoch of the last change of this node. */
  readonly epoch: Epoch
}

/** The replicas of one token in one keyspace. */
export interface Placement {
  /** In preference order of the ring. */
  readonly read: readonly number[]
  /** `read` and the nodes that are about to own the token. */
  readonly write: readonly number[]
  /** Those of `write` that are not in `read`. They count as additional required acknowledgements. */
  readonly pending: readonly number[]
  /** Epoch of the last change of ownership of this range. */
  readonly since: Epoch
}
