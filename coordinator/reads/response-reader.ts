// A read response taken apart, for merging. Rows stay bytes until a merge needs them.
import type { Buffer } from "../../runtime/pure.ts"
import type { RowSink } from "../../data/local-store.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags } from "../../data/row-format.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import type { Token } from "../../data/topology.ts"
import { replayResponse } from "./read-response.ts"

export interface ResponseRow {
  readonly bytes: Buffer
  readonly isStatic: boolean
  readonly live: boolean
}

export interface ResponsePartition {
  readonly token: Token
  readonly key: Buffer
  readonly deletion: Deletion | null
  readonly tombstones: RangeTombstone[]
  /** Static row first. */
  readonly rows: ResponseRow[]
  /** Live rows, as limits count them. */
  live: number
}

/** REQUIRES: `response` is kept. Throws CorruptionError. */
export function readResponse(response: Buffer): ResponsePartition[] {
  const reader = new ResponseReader(response)
  replayResponse(response, reader)
  return reader.partitions
}

export function rowClustering(row: Buffer): Buffer {
  return row.subarray(clusteringStart(0), clusteringEnd(row, 0))
}

class ResponseReader implements RowSink {
  readonly partitions: ResponsePartition[] = []
  readonly #response: Buffer
  #staticLive = false

  constructor(response: Buffer) {
    this.#response = response
  }
  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    this.#staticLive = false
    this.partitions.push({ token, key: key as Buffer, deletion, tombstones: [], rows: [], live: 0 })
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.partitions.at(-1)?.tombstones.push(tombstone)
  }
  row(_bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    const partition = this.partitions.at(-1)
    const isStatic = (itemFlags(this.#response, from) & FLAG.static) !== 0
    partition?.rows.push({ bytes: this.#response.subarray(from, to), isStatic, live })
    if (live && isStatic) this.#staticLive = true
    else if (live && partition !== undefined) partition.live++
    return true
  }
  partitionEnd(): void {
    const partition = this.partitions.at(-1)
    if (partition !== undefined && partition.live === 0 && this.#staticLive) partition.live = 1
  }
}
