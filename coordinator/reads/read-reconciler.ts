// The slow half of a read: full data from all replicas contacted, merged (read-merge.ts), those that were behind repaired
// and waited for, and on past the frontier until the limit is reached or all is read.
import type { Consistency, RequestError } from "../../cql/errors.ts"
import type { RowSink } from "../../data/local-store.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { ReadTimeoutError, WriteTimeoutError } from "../../cql/errors.ts"
import { disjointRangeTombstones, strongerDeletion } from "../../data/range-tombstones.ts"
import { MetadataUnavailableError } from "../cluster/cluster-metadata.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { Completion } from "../coordinator.ts"
import type { CoordinatorDeps } from "../coordinator-deps.ts"
import type { Exchanges } from "../exchanges.ts"
import { VERB } from "../messages.ts"
import type { ReadExchange } from "./read-exchange.ts"
import { type MergedPartition, comparePartitions, emitPartition, liveRows } from "./merged-partition.ts"
import { type MergedAnswer, mergeAnswers } from "./read-merge.ts"
import type { PartitionRepair } from "./read-repair.ts"
import type { ReadReplicas } from "./read-replicas.ts"
import { readResponse } from "./response-reader.ts"
import type { WritePath } from "../writes/write-path.ts"

export class ReadReconciler {
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #exchanges: Exchanges
  readonly #writes: WritePath

  constructor(deps: CoordinatorDeps, view: ClusterView, exchanges: Exchanges, writes: WritePath) {
    this.#deps = deps
    this.#view = view
    this.#exchanges = exchanges
    this.#writes = writes
  }

  /** Merged rows go to the sink; rejects with RequestErrors only. REQUIRES: every contact is needed. */
  async read(command: ReadCommand, replicas: ReadReplicas, consistency: Consistency, sink: RowSink): Promise<void> {
    /** The partition that is being read on; its rows are kept until it is whole, since its tombstones go first. */
    let open: MergedPartition | null = null
    let left = command.limit
    let next: ReadCommand | null = command
    const emit = (partition: MergedPartition): boolean => {
      const live = Math.min(liveRows(partition), command.perPartitionLimit, left)
      left -= live
      return emitPartition(partition, live, sink) && left > 0
    }
    while (next !== null) {
      const merged: MergedAnswer = await this.#round(next, replicas, consistency)
      for (const partition of merged.partitions) {
        if (open !== null && comparePartitions(open.token, open.key, partition.token, partition.key) === 0) {
          extend(open, partition, command)
          continue
        }
        if (open !== null && !emit(open)) return
        open = partition
      }
      next = open === null ? null : continuation(command, next, open, merged, left)
    }
    if (open !== null) emit(open)
  }

  async #round(command: ReadCommand, replicas: ReadReplicas, consistency: Consistency): Promise<MergedAnswer> {
    const exchange = await this.#exchange(command, replicas, consistency)
    const merged = mergeAnswers(command, exchange.answers.map(({ node, bytes }) => ({ node, partitions: readResponse(bytes) })))
    if (merged.repairs.length > 0) await this.#repair(command, merged.repairs, replicas, consistency)
    return merged
  }

  async #exchange(command: ReadCommand, replicas: ReadReplicas, consistency: Consistency): Promise<ReadExchange> {
    for (;;) {
      const { epoch } = this.#view.snapshot()
      const { exchange, error } = await new Promise<{ exchange: ReadExchange; error: RequestError | null }>((resolve) => {
        this.#exchanges.start(command, consistency, replicas, false, { exchanged: (done, failed) => resolve({ exchange: done, error: failed }) })
      })
      if (error === null) return exchange
      if (exchange.staleEpoch <= epoch) throw error
      // Part of the answer may be with the client: only the same replicas can go on with it.
      await this.#catchUp(exchange.staleEpoch, error)
      const token = command.target.kind === "partition" ? command.target.token : command.target.range.end
      const { read } = this.#view.snapshot().placement(command.table.keyspace, token.high, token.low)
      if (!replicas.contacts.every((node) => read.includes(node))) throw error
    }
  }

  async #catchUp(epoch: number, failure: RequestError): Promise<void> {
    const { metadata, clock, timeouts } = this.#deps
    try {
      await metadata.waitFor(epoch, clock.monotonicMs() + timeouts.readMs)
    } catch (error) {
      throw error instanceof MetadataUnavailableError ? failure : error
    }
  }

  /** Waits for every repair: a later read at this level must not find less. */
  async #repair(command: ReadCommand, repairs: readonly PartitionRepair[], replicas: ReadReplicas, consistency: Consistency): Promise<void> {
    await Promise.all(
      repairs.map(
        ({ node, mutation }) =>
          new Promise<void>((resolve, reject) => {
            const completion: Completion = {
              done: (error) => {
                if (error === null) resolve()
                else if (error instanceof WriteTimeoutError) reject(new ReadTimeoutError(consistency, replicas.required - 1, replicas.required, true))
                else reject(error)
              },
            }
            this.#writes.deliver(VERB.readRepair, command.table.keyspace, mutation, node, completion)
          }),
      ),
    )
  }
}

/** Where to read on; null: the limit is reached or everything was read. */
function continuation(whole: ReadCommand, round: ReadCommand, open: MergedPartition, merged: MergedAnswer, left: number): ReadCommand | null {
  // A live static row counts only when no row behind it does: until the partition is whole it takes up no limit.
  const rows = open.rows.filter(({ row, live }) => live && !row.isStatic).length
  const inPartition = Math.min(left, whole.perPartitionLimit) - rows
  const more = left - Math.min(liveRows(open), whole.perPartitionLimit)
  const after = (clustering: Buffer | null) => ({ token: open.token, key: open.key, clustering })
  if (merged.cutAt !== null && inPartition > 0) {
    // The rest of this partition first, by itself: its own limit is partly used up.
    const target = { kind: "partition", token: open.token, key: open.key } as const
    return { ...whole, target, limit: inPartition, perPartitionLimit: NO_LIMIT, after: after(merged.cutAt) }
  }
  const isPart = round.target.kind === "partition"
  // A range goes on behind the partition when its answers were cut there, or when the partition was finished by itself.
  if (whole.target.kind === "partition" || more <= 0 || !(merged.isCut || isPart)) return null
  return { ...whole, limit: more, after: after(null) }
}

/** Adds what a later round found of the same partition; the static row has been seen. */
function extend(open: MergedPartition, more: MergedPartition, command: ReadCommand): void {
  open.deletion = strongerDeletion(open.deletion, more.deletion)
  open.tombstones = disjointRangeTombstones([...open.tombstones, ...more.tombstones], open.deletion, command.table.compareClustering)
  for (const row of more.rows) if (!row.row.isStatic) open.rows.push(row)
}
