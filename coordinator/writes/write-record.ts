// One mutation on its way to its replicas. Pooled: a write allocates nothing once the pool is warm.
import { CONSISTENCY, type Consistency, type WriteType } from "../../cql/errors.ts"
import type { NodeId } from "../../runtime/network.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Completion } from "../coordinator.ts"
import { mutationSizeAt } from "./mutation-tables.ts"
import type { InFlight } from "../request-table.ts"
import type { Trace } from "../trace.ts"

export const REPLICA = { waiting: 0, acknowledged: 1, failed: 2, down: 3 } as const

export interface ReplicaFailureCode {
  readonly node: NodeId
  readonly code: number
}

export class WriteRecord implements InFlight {
  requestId = 0
  keyspace = ""
  verb = 0
  /** The bytes are kept for hints and for sending again: `bytes[0, size)`. */
  bytes: Buffer = Buffer.allocUnsafeSlow(1024)
  size = 0
  consistency: Consistency = CONSISTENCY.one
  writeType: WriteType = "SIMPLE"
  /** Null once the client has its answer. */
  completion: Completion | null = null
  trace: Trace | null = null
  /** The replicas and, at the same index, their REPLICA state. */
  readonly nodes: NodeId[] = []
  readonly states: number[] = []
  required = 0
  received = 0
  waiting = 0
  /** Replicas whose answer could count. */
  candidates = 0
  failures: ReplicaFailureCode[] = []
  /** EACH_QUORUM: acknowledgements still missing in each data centre. */
  missingByDataCenter: Map<string, number> | null = null
  hinted = false
  /** Metadata epoch at which it was last sent, and one that is waited for before it is sent again. */
  sentEpoch = 0
  awaitedEpoch = 0
  readonly #onExpire: (record: WriteRecord) => void

  constructor(onExpire: (record: WriteRecord) => void) {
    this.#onExpire = onExpire
  }

  /** Copies the mutation that `bytes` starts with. */
  keep(bytes: Buffer): void {
    const size = mutationSizeAt(bytes, 0)
    if (this.bytes.length < size) this.bytes = Buffer.allocUnsafeSlow(Math.max(size, this.bytes.length * 2))
    bytes.copy(this.bytes, 0, 0, size)
    this.size = size
  }

  mutation(): Buffer {
    return this.bytes.subarray(0, this.size)
  }

  reset(): void {
    this.nodes.length = 0
    this.states.length = 0
    this.completion = null
    this.trace = null
    this.received = 0
    this.waiting = 0
    this.candidates = 0
    if (this.failures.length > 0) this.failures = []
    this.missingByDataCenter = null
    this.hinted = false
    this.awaitedEpoch = 0
  }

  isSatisfied(): boolean {
    if (this.received < this.required) return false
    if (this.missingByDataCenter === null) return true
    for (const missing of this.missingByDataCenter.values()) if (missing > 0) return false
    return true
  }

  expire(): void {
    this.#onExpire(this)
  }
}
