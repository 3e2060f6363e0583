// A SELECT by partition key of columns as they are, the short way: what the store finds goes row by row into the frame that
// answers the client (data/direct-read.ts). Nothing here is made per request; one request is served at a time.
//
// It gives what SelectRun gives, or says that it cannot (`bind`, or the store), and then SelectRun does: collections of keys,
// filters, aggregates, DISTINCT, paging states of other partitions.
import { Buffer } from "../../runtime/pure.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import type { DirectRead, DirectSink } from "../../data/direct-read.ts"
import { murmur3Token, tokenHigh, tokenLow } from "../../data/murmur3.ts"
import { type ClusteringSlice, NO_LIMIT } from "../../data/read-command.ts"
import { clusteringEnd, clusteringStart } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { ResultMetadata } from "../metadata.ts"
import type { DirectSelect } from "../plan.ts"
import type { BoundValues, QueryOptions } from "../request.ts"
import { type BindVariables, orderValues } from "../statements/bind-variables.ts"
import { type EqualValues, SizedBuffers } from "../statements/equal-values.ts"
import { decodePagingState, encodePagingState } from "./paging-state.ts"
import { RowProjector } from "./row-projector.ts"
import type { SelectDefinition } from "./select-definition.ts"
import { boundLimit } from "./select-limit.ts"
import { boundSlices } from "./select-targets.ts"
import { ViewVisibility } from "../../data/view-visibility.ts"

const NO_BYTES = Buffer.alloc(0)
const EVERY_ROW: readonly ClusteringSlice[] = [{ start: NO_BYTES, startInclusive: true, end: NO_BYTES, endInclusive: true }]

export class DirectRun implements DirectSelect, DirectRead, DirectSink {
  readonly table: TableSchema
  readonly metadata: ResultMetadata
  readonly reversed: boolean
  tokenHigh = 0
  tokenLow = 0
  key: Buffer = NO_BYTES
  slices: readonly ClusteringSlice[] = EVERY_ROW
  readonly isOneRow: boolean
  after: Buffer | null = null
  nowSeconds = 0
  count = 0
  readonly #definition: SelectDefinition
  readonly #variables: BindVariables
  readonly #equalKey: EqualValues
  readonly #projector: RowProjector
  readonly #visibility: ViewVisibility | null
  readonly #keys = new SizedBuffers()
  readonly #clusterings = new SizedBuffers()
  /** The slice of a clustering that is given by = alone. */
  readonly #equalSlice = { start: NO_BYTES as Buffer, startInclusive: true, end: NO_BYTES as Buffer, endInclusive: true }
  readonly #equalSlices: readonly ClusteringSlice[] = [this.#equalSlice]
  #out: ByteWriter | null = null
  /** Rows that the answer may have, and that LIMIT and PER PARTITION LIMIT allow. */
  #most = 0
  #limit = NO_LIMIT
  #perPartitionLimit = NO_LIMIT
  #takenBefore = 0
  #lastBytes: Buffer = NO_BYTES
  #lastAt = 0

  private constructor(definition: SelectDefinition, variables: BindVariables, equalKey: EqualValues, projector: RowProjector) {
    const { table, equalClustering, where } = definition
    this.table = table
    this.metadata = definition.metadata
    this.reversed = definition.reversed
    this.isOneRow = table.clustering.length === 0 || (equalClustering !== null && where.clustering.length === table.clustering.length)
    this.#definition = definition
    this.#variables = variables
    this.#equalKey = equalKey
    this.#projector = projector
    this.#visibility = table.kind === "view" ? new ViewVisibility(table) : null
  }

  /** Null when the statement is not of this kind. */
  static of(definition: SelectDefinition, variables: BindVariables): DirectRun | null {
    const { table, equalKey, selection, filters, grouping, distinct, sortColumns } = definition
    if (table.kind === "virtual" || equalKey === null || selection.plain === null) return null
    if (filters.length > 0 || grouping !== null || distinct || sortColumns > 0 || definition.ann !== null || definition.warnings.length > 0) return null
    if (selection.plain.some(({ kind }) => kind === "static")) return null
    return new DirectRun(definition, variables, equalKey, new RowProjector(table, selection.plain))
  }

  /** False: this request goes the long way. Throws InvalidRequestError, ProtocolError. */
  bind(options: QueryOptions, nowSeconds: number): boolean {
    const definition = this.#definition
    const values = orderValues(options.values, this.#variables.specifications())
    const state = options.pagingState === null ? null : decodePagingState(this.table.id, options.pagingState)
    this.#limit = definition.limit === null ? NO_LIMIT : boundLimit(definition.limit, "limit", values)
    this.#perPartitionLimit = definition.perPartitionLimit === null ? NO_LIMIT : boundLimit(definition.perPartitionLimit, "per partition limit", values)
    this.slices = this.#bindSlices(values)
    if (this.slices.length === 0) return false
    const key = this.#equalKey.key(values, this.#keys)
    this.key = key
    this.nowSeconds = nowSeconds
    this.count = 0
    this.after = null
    this.#takenBefore = 0
    if (state !== null) {
      if (this.isOneRow || state.clustering === null || !state.key.equals(key)) return false
      this.#limit = Math.min(this.#limit, state.limit)
      this.#takenBefore = state.taken
      this.after = state.clustering
    }
    const page = options.pageSize > 0 ? options.pageSize : NO_LIMIT
    this.#most = Math.min(page, this.#limit, this.#perPartitionLimit - this.#takenBefore)
    murmur3Token(key, 0, key.length)
    this.tokenHigh = tokenHigh
    this.tokenLow = tokenLow
    return this.#most > 0
  }

  #bindSlices(values: BoundValues): readonly ClusteringSlice[] {
    const { where, equalClustering } = this.#definition
    if (where.clustering.length === 0) return EVERY_ROW
    if (equalClustering === null) return boundSlices(this.table, where.clustering, values) ?? EVERY_ROW
    const clustering = equalClustering.clustering(values, this.#clusterings)
    this.#equalSlice.start = clustering
    this.#equalSlice.end = clustering
    return this.#equalSlices
  }

  /** Where the rows go. */
  start(out: ByteWriter): void {
    this.#out = out
    this.#projector.partition(this.key)
  }

  directRow(bytes: Buffer, at: number): boolean {
    if (this.#visibility !== null && !this.#visibility.isVisible(this.key, bytes, at, this.nowSeconds)) return true
    this.#projector.row(bytes, at, this.nowSeconds, this.#out as ByteWriter)
    this.#lastBytes = bytes
    this.#lastAt = at
    return ++this.count < this.#most
  }

  answersAlone(bytes: Buffer, at: number): boolean {
    return this.#visibility === null && this.#projector.isWhole(bytes, at)
  }

  /** Where the next page begins; null when nothing can follow. As SelectRun has it. */
  pagingState(): Buffer | null {
    const { count } = this
    const bytes = this.#lastBytes
    this.#lastBytes = NO_BYTES
    this.#out = null
    if (count < this.#most || count === 0 || this.isOneRow || count >= this.#limit || this.#takenBefore + count >= this.#perPartitionLimit) return null
    const from = clusteringStart(this.#lastAt)
    const clustering = bytes.subarray(from, clusteringEnd(bytes, this.#lastAt))
    const limit = this.#limit === NO_LIMIT ? NO_LIMIT : this.#limit - count
    return encodePagingState(this.table.id, { limit, key: this.key, taken: this.#takenBefore + count, clustering })
  }
}
