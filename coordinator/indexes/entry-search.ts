// Reads the entries of an index: of this node alone, or of several replicas, whose answers are united.
import type { Consistency, RequestError } from "../../cql/errors.ts"
import { UnavailableError } from "../../cql/errors.ts"
import { type EntryPosition, decodeEntry, encodeEntry, shardKey, shardOf, shardRange, shardToken } from "../../data/index-table.ts"
import type { RowSink } from "../../data/local-store.ts"
import { type ClusteringSlice, type IndexSearch, NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { clusteringEnd, clusteringStart } from "../../data/row-format.ts"
import type { Placement, Token, TokenRange } from "../../data/topology.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { CoordinatorDeps } from "../coordinator-deps.ts"
import type { Exchanges } from "../exchanges.ts"
import type { ReadExchange } from "../reads/read-exchange.ts"
import { type MergedAnswer, mergeAnswers } from "../reads/read-merge.ts"
import { chooseReplicas } from "../reads/read-replicas.ts"
import type { ReplicaLatency } from "../reads/replica-latency.ts"
import { readResponse } from "../reads/response-reader.ts"

const NO_BYTES = Buffer.alloc(0)

export interface EntrySearchDeps {
  readonly deps: CoordinatorDeps
  readonly view: ClusterView
  readonly exchanges: Exchanges
  readonly latency: ReplicaLatency
}

export interface EntryQuery {
  readonly search: IndexSearch
  readonly nowSeconds: number
  readonly consistency: Consistency
  /** Whose entries count. */
  readonly placement: Placement
  /** This node's are enough. */
  readonly isLocal: boolean
  /** Partitions of the hidden table. */
  readonly target: ReadCommand["target"]
  readonly slices: readonly ClusteringSlice[]
  readonly after: ReadCommand["after"]
  /** Entries of one round. */
  readonly batch: number
}

/** What one round found, and where the next goes on; null: nowhere. */
interface Round {
  readonly positions: EntryPosition[]
  readonly after: ReadCommand["after"]
}

export class EntrySearch {
  readonly #parts: EntrySearchDeps

  constructor(parts: EntrySearchDeps) {
    this.#parts = parts
  }

  /** Where a search for one term in a range begins. REQUIRES: a range that does not wrap around. */
  startOf(term: Uint8Array, range: TokenRange): Pick<EntryQuery, "target" | "after"> {
    const shard = shardOf(range.start)
    const after = { token: shardToken(shard), key: shardKey(shard), clustering: encodeEntry(term, range.start, NO_BYTES, NO_BYTES) }
    return { target: { kind: "range", range: shardRange(range) }, after }
  }

  /** Rounds of live entries, in the order of partitions and clusterings. Rejects with RequestErrors only. */
  async *search(query: EntryQuery): AsyncGenerator<readonly EntryPosition[], void> {
    let after = query.after
    do {
      const command: ReadCommand = {
        table: query.search.index.table, nowSeconds: query.nowSeconds, target: query.target, slices: query.slices,
        reversed: false, limit: query.batch, perPartitionLimit: NO_LIMIT, after,
      }
      const round: Round = query.isLocal ? await this.#readHere(command) : await this.#readReplicas(command, query)
      yield round.positions
      after = round.after
    } while (after !== null)
  }

  async #readHere(command: ReadCommand): Promise<Round> {
    const sink = new EntrySink(command.limit)
    await this.#parts.deps.store.read(command, sink)
    return { positions: sink.positions, after: sink.after }
  }

  async #readReplicas(command: ReadCommand, { consistency, placement }: EntryQuery): Promise<Round> {
    const { view, latency, deps, exchanges } = this.#parts
    const { epoch } = view.snapshot()
    const replicas = chooseReplicas(view, latency, command.table.keyspace, placement.read, consistency)
    if (replicas instanceof UnavailableError) throw replicas
    const { exchange, error } = await new Promise<{ exchange: ReadExchange; error: RequestError | null }>((resolve) => {
      exchanges.start(command, consistency, replicas, false, { exchanged: (done, failed) => resolve({ exchange: done, error: failed }) })
    })
    if (error !== null) {
      if (exchange.staleEpoch <= epoch) throw error
      // A replica knows more: the client's next attempt will, too. Where entries lie now must be looked up from the start.
      await deps.metadata.waitFor(exchange.staleEpoch, deps.clock.monotonicMs() + deps.timeouts.readMs)
      throw error
    }
    const answers = exchange.answers.map(({ node, bytes }) => ({ node, partitions: readResponse(bytes) }))
    return roundOf(mergeAnswers(command, answers))
  }
}

function roundOf({ partitions, isCut, cutAt }: MergedAnswer): Round {
  const positions = partitions.flatMap(({ rows }) => rows.filter(({ live }) => live).map(({ row }) => decodeEntry(row.clustering)))
  const last = partitions.at(-1)
  return { positions, after: isCut && last !== undefined ? { token: last.token, key: last.key, clustering: cutAt } : null }
}

/** Collects the live entries of one read. */
class EntrySink implements RowSink {
  readonly positions: EntryPosition[] = []
  readonly #limit: number
  #token: Token = { high: 0, low: 0 }
  #key: Uint8Array = NO_BYTES
  #last: Buffer = NO_BYTES

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Where to go on when the limit was reached. */
  get after(): ReadCommand["after"] {
    return this.positions.length < this.#limit ? null : { token: this.#token, key: this.#key, clustering: this.#last }
  }

  partition(token: Token, key: Uint8Array): void {
    this.#token = token
    this.#key = Buffer.from(key)
  }
  rangeTombstone(): void {}
  row(bytes: Uint8Array, from: number, _to: number, live: boolean): boolean {
    if (!live) return true
    const source = bytes as Buffer
    this.#last = Buffer.from(source.subarray(clusteringStart(from), clusteringEnd(source, from)))
    this.positions.push(decodeEntry(this.#last))
    return true
  }
  partitionEnd(): void {}
}
