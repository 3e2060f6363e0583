// One page of one SELECT: a state machine between the coordinator, which reads, and the client's rows.
//
// 1. `start` works out what to read (keys or a token range, slices), or resumes it from the paging state.
// 2. `next` gives one command at a time; its limit is what the page still wants, bounded so that filters and aggregates
//    read in pieces.
// 3. The rows come as to any RowSink. Those that are live (of a view: visible) and pass the filters go to the page
//    (select-page.ts).
// 4. A command that brought fewer rows than its limit has exhausted its target; then comes the next key, or the end.
//
// The position of the last row taken is kept on the way (copied, since rows are valid during a call only): it is where the
// next command, or the next page, goes on.
import { Buffer } from "../../runtime/pure.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags } from "../../data/row-format.ts"
import { type ClusteringSlice, type IndexSearch, NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { FULL_RANGE, tokenOf } from "../../data/token.ts"
import type { Token, TokenRange } from "../../data/topology.ts"
import { InvalidRequestError, ProtocolError } from "../errors.ts"
import type { Select } from "../plan.ts"
import type { BoundValues, QueryOptions } from "../request.ts"
import { topKWarnings } from "./select-ann.ts"
import { Page } from "./select-page.ts"
import { type PagingState, decodePagingState, encodePagingState } from "./paging-state.ts"
import type { SelectDefinition } from "./select-definition.ts"
import { boundLimit } from "./select-limit.ts"
import { boundKeys, boundSlices, boundTokenRange } from "./select-targets.ts"

/** Rows of one command when the page does not say how many: bounds what a replica sends at once. */
const ROWS_PER_COMMAND = 10_000

const NO_BYTES = Buffer.alloc(0)
const SHORT = 32

type Target = { readonly kind: "key"; readonly key: Buffer } | { readonly kind: "range"; readonly range: TokenRange }

export class SelectRun implements Select {
  /** What a tombstone covers is not among the merged rows. */
  readonly ignoresRangeTombstones = true
  readonly #definition: SelectDefinition
  readonly #release: (run: SelectRun) => void
  readonly #page: Page
  #nowSeconds = 0
  #targets: Target[] = []
  #target = 0
  #slices: readonly ClusteringSlice[] | null = null
  #index: IndexSearch | undefined = undefined
  #warnings: readonly string[] = []
  #perPartitionLimit = NO_LIMIT
  /** Rows (groups) that LIMIT still allows after those on the page. */
  #limit = NO_LIMIT
  #command: ReadCommand | null = null
  /** Live rows of the current command, as a replica counts them. */
  #counted = 0
  #resuming: PagingState | null = null

  // The partition at hand.
  #key: Buffer = NO_BYTES
  #partitionRows = 0
  #staticLive = false
  #insideResumed = false

  // The last row taken or refused.
  #hasPosition = false
  #positionKey: Buffer = NO_BYTES
  #clustering: Buffer = Buffer.allocUnsafe(64)
  /** -1: the partition is finished. */
  #clusteringSize = -1
  /** Rows (groups) of the position's partition on this page and before. */
  #taken = 0
  #stopped = false

  constructor(definition: SelectDefinition, release: (run: SelectRun) => void) {
    this.#definition = definition
    this.#release = release
    this.#page = new Page(definition)
  }

  start(values: BoundValues, options: QueryOptions, nowSeconds: number): void {
    const definition = this.#definition
    this.#nowSeconds = nowSeconds
    this.#command = null
    this.#stopped = false
    this.#hasPosition = false
    this.#resuming = options.pagingState === null ? null : decodePagingState(definition.table.id, options.pagingState)
    this.#limit = boundLimit(definition.limit, "limit", values)
    this.#perPartitionLimit = boundLimit(definition.perPartitionLimit, "per partition limit", values)
    if (this.#resuming !== null) this.#limit = Math.min(this.#limit, this.#resuming.limit)
    if (definition.sortColumns > 0 && options.pageSize > 0 && options.pageSize < this.#limit) {
      throw new InvalidRequestError(
        "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query",
      )
    }
    this.#warnings = definition.ann === null ? definition.warnings : [...definition.warnings, ...topKWarnings(this.#limit, options.pageSize)]
    this.#slices = this.#bindSlices(values)
    this.#index = definition.where.index?.bind(values)
    this.#targets = this.#bindTargets(values)
    this.#target = 0
    if (this.#resuming !== null) this.#resume(this.#resuming)
    const paged = options.pageSize > 0 && definition.ann === null && !(definition.selection.aggregates.length > 0 && definition.grouping === null)
    this.#page.start(values, nowSeconds, paged ? Math.min(options.pageSize, this.#limit) : this.#limit, this.#perPartitionLimit)
  }

  #bindTargets(values: BoundValues): Target[] {
    const { where, equalKey } = this.#definition
    if (this.#slices?.length === 0) return []
    if (equalKey !== null) return [{ kind: "key", key: equalKey.key(values) }]
    const range = where.token === null ? FULL_RANGE : boundTokenRange(where.token, values)
    if (range === null) return []
    if (where.keys === null) return [{ kind: "range", range }]
    return boundKeys(where.keys, where.token === null ? null : range, values).map((key) => ({ kind: "key", key }))
  }

  #bindSlices(values: BoundValues): readonly ClusteringSlice[] | null {
    const { table, where, equalClustering } = this.#definition
    if (equalClustering === null) return boundSlices(table, where.clustering, values)
    const clustering = equalClustering.clustering(values)
    return [{ start: clustering, startInclusive: true, end: clustering, endInclusive: true }]
  }

  /** Goes to the position. */
  #resume(state: PagingState): void {
    this.#key = state.key
    this.#moveTo(state.clustering ?? NO_BYTES, 0, state.clustering === null ? -1 : state.clustering.length)
    this.#taken = state.taken
    if (this.#definition.where.keys === null) return
    const index = this.#targets.findIndex((target) => target.kind === "key" && target.key.equals(state.key))
    if (index < 0) throw new ProtocolError("Invalid value for the paging state")
    this.#target = state.clustering === null ? index + 1 : index
    if (state.clustering === null) this.#hasPosition = false
  }

  next(): ReadCommand | null {
    if (this.#command !== null) this.#finishCommand(this.#command)
    const target = this.#stopped || this.#page.full ? undefined : this.#targets[this.#target]
    if (target === undefined) {
      this.#command = null
      return null
    }
    const { table, reversed } = this.#definition
    const after = this.#hasPosition ? { token: tokenOf(this.#positionKey), key: this.#positionKey, clustering: this.#positionClustering() } : null
    this.#counted = 0
    this.#command = {
      table, reversed, after,
      nowSeconds: this.#nowSeconds,
      target: target.kind === "key" ? { kind: "partition", token: tokenOf(target.key), key: target.key } : { kind: "range", range: target.range },
      slices: this.#slices,
      limit: Math.min(this.#page.wanted, ROWS_PER_COMMAND),
      perPartitionLimit: this.#definition.distinct ? 1 : this.#page.takesEveryRow ? this.#perPartitionLimit : NO_LIMIT,
      index: this.#index,
    }
    return this.#command
  }

  /** Decides whether the target has more to give. */
  #finishCommand(command: ReadCommand): void {
    if (this.#stopped) return
    const partitionFinished = command.target.kind === "partition" && this.#clusteringSize < 0
    if (this.#counted >= command.limit && this.#hasPosition && !partitionFinished) return
    this.#target++
    this.#hasPosition = false
  }

  partition(_token: Token, key: Uint8Array, _deletion: Deletion | null): void {
    if (this.#stopped) return
    const target = this.#targets[this.#target]
    this.#key = target?.kind === "key" ? target.key : Buffer.from(key)
    this.#partitionRows = 0
    this.#staticLive = false
    // The position is of the partition before until a row of this one is taken.
    this.#insideResumed = this.#hasPosition && this.#clusteringSize >= 0 && this.#positionKey.equals(this.#key)
    this.#page.partition(this.#key, this.#insideResumed ? this.#taken : 0)
  }

  rangeTombstone(_tombstone: RangeTombstone): void {
    // What a tombstone covers is not among the merged rows.
  }

  row(source: Uint8Array, from: number, to: number, live: boolean): boolean {
    if (this.#stopped) return false
    const bytes = Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength)
    if ((itemFlags(bytes, from) & FLAG.static) !== 0) {
      this.#staticLive = live
      if (live) this.#counted++
      this.#page.staticRow(bytes, from, to)
      return true
    }
    if (!live) return true
    this.#counted++
    this.#partitionRows++
    if (!this.#page.row(bytes, from)) {
      this.#stopped = true
      return false
    }
    const finishes = this.#page.partitionIsFull || this.#definition.table.clustering.length === 0
    if (finishes) this.#moveTo(NO_BYTES, 0, -1)
    else this.#moveTo(bytes, clusteringStart(from), clusteringEnd(bytes, from))
    if (this.#page.full) this.#stopped = true
    return !this.#stopped
  }

  partitionEnd(): void {
    if (this.#stopped || !this.#staticLive || this.#partitionRows > 0) return
    if (!this.#insideResumed && this.#definition.showsStaticOnly && !this.#page.staticOnly()) {
      this.#stopped = true
      return
    }
    this.#moveTo(NO_BYTES, 0, -1)
    if (this.#page.full) this.#stopped = true
  }

  result(): ReturnType<Select["result"]> {
    const page = this.#page
    const count = page.finish(!this.#stopped)
    const pagingState = this.#stopped ? this.#state(count) : null
    const rows = page.rows()
    this.#release(this)
    return { metadata: this.#definition.metadata, count, rows, pagingState, warnings: this.#warnings }
  }

  #state(count: number): Buffer | null {
    const left = this.#limit === NO_LIMIT ? NO_LIMIT : this.#limit - count
    if (left <= 0 || !this.#hasPosition || this.#isDone()) return null
    const inside = this.#clusteringSize >= 0 && this.#taken < this.#perPartitionLimit
    return encodePagingState(this.#definition.table.id, {
      limit: left, key: this.#positionKey, taken: inside ? this.#taken : 0, clustering: inside ? this.#positionClustering() : null,
    })
  }

  /** Nothing can follow: the last key, of which one row was asked for. */
  #isDone(): boolean {
    if (this.#definition.where.keys === null || this.#target < this.#targets.length - 1) return false
    if (this.#clusteringSize < 0) return true
    if (this.#definition.table.clustering.length === 0) return true
    const slice = this.#slices?.length === 1 ? this.#slices[0] : undefined
    return slice !== undefined && slice.startInclusive && slice.endInclusive && Buffer.compare(slice.start, slice.end) === 0 && slice.start.length === this.#clusteringSize
  }

  /** `bytes[from, to)`: the clustering of the row just taken; `to` -1: its partition is finished. */
  #moveTo(bytes: Buffer, from: number, to: number): void {
    this.#positionKey = this.#key
    this.#hasPosition = true
    this.#taken = this.#page.takenOfPartition
    this.#clusteringSize = to < 0 ? -1 : to - from
    if (to < 0) return
    if (this.#clustering.length < to - from) this.#clustering = Buffer.allocUnsafe(2 * (to - from))
    // A loop beats copy() for a few bytes, and this is done for every row.
    const target = this.#clustering
    if (to - from > SHORT) bytes.copy(target, 0, from, to)
    else for (let index = from; index < to; index++) target[index - from] = bytes[index] as number
  }

  /** A copy; null: the partition is finished. */
  #positionClustering(): Buffer | null {
    return this.#clusteringSize < 0 ? null : Buffer.from(this.#clustering.subarray(0, this.#clusteringSize))
  }
}
