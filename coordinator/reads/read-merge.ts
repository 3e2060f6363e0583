// Merges the answers of several replicas to one command.
//
// 1. An answer that reached a limit says nothing about what comes behind its last row: its FRONTIER. Behind the lowest
//    frontier another replica's rows may be deleted or newer there, so that they are left out: the caller asks on from the
//    frontier (short-read protection). Each round gets at least one row further.
// 2. Partitions are merged in token and key order: the strongest partition deletion, the disjoint union of the range
//    tombstones, and row by row the reconciliation of all replicas' versions without what those deletions cover.
// 3. What a replica lacks of the merged partition is its repair. A row of which it has no trace is not repaired with
//    tombstones that it may have purged.
//
// Rows of a view are entries: they merge by the entry merge and nobody is repaired, since a joined entry must not be
// pushed (views.md, section 0).
import { ByteReader } from "../../data/bytes.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { mergeRows } from "../../data/reconcile.ts"
import { coveringDeletion, disjointRangeTombstones, strongerDeletion } from "../../data/range-tombstones.ts"
import { decodeRow, rowBytes } from "../../data/row-format.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import type { Token } from "../../data/topology.ts"
import { mergeEntries } from "../../data/view-entry.ts"
import type { NodeId } from "../../runtime/network.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { type MergedPartition, type MergedRow, comparePartitions } from "./merged-partition.ts"
import { type PartitionRepair, repairOf } from "./read-repair.ts"
import { type ResponsePartition, type ResponseRow, rowClustering } from "./response-reader.ts"
import { isRowLive } from "./row-liveness.ts"

export interface ReplicaAnswer {
  readonly node: NodeId
  readonly partitions: readonly ResponsePartition[]
}

export interface MergedAnswer {
  readonly partitions: MergedPartition[]
  readonly repairs: PartitionRepair[]
  /** Some answer ended at a limit: there may be more behind `cutAt` of the last partition, or behind that partition when null. */
  readonly isCut: boolean
  readonly cutAt: Buffer | null
}

/** Where something is in reading order; `clustering` null: behind the whole partition. */
interface Position {
  readonly token: Token
  readonly key: Buffer
  readonly clustering: Buffer | null
}

export function mergeAnswers(command: ReadCommand, answers: readonly ReplicaAnswer[]): MergedAnswer {
  const merger = new Merger(command)
  return merger.merge(answers)
}

class Merger {
  readonly #command: ReadCommand

  constructor(command: ReadCommand) {
    this.#command = command
  }

  merge(answers: readonly ReplicaAnswer[]): MergedAnswer {
    const frontier = this.#frontier(answers)
    const partitions: MergedPartition[] = []
    const repairs: PartitionRepair[] = []
    for (const versions of groupPartitions(answers)) {
      const first = (versions.find((version) => version !== null) as ResponsePartition)
      if (frontier !== null && comparePartitions(first.token, first.key, frontier.token, frontier.key) > 0) break
      const isLast = frontier !== null && comparePartitions(first.token, first.key, frontier.token, frontier.key) === 0
      const end = this.#lower(isLast ? (frontier as Position).clustering : null, this.#partitionFrontier(versions))
      partitions.push(this.#mergePartition(answers, versions, first, end, repairs))
      if (end !== null) return { partitions, repairs, isCut: true, cutAt: end }
    }
    return { partitions, repairs, isCut: frontier !== null, cutAt: null }
  }

  /** The lowest last position of an answer that reached the limit; null: all answers are complete. */
  #frontier(answers: readonly ReplicaAnswer[]): Position | null {
    let lowest: Position | null = null
    for (const { partitions } of answers) {
      let live = 0
      for (const partition of partitions) live += partition.live
      const last = partitions.at(-1)
      if (last === undefined || live < this.#command.limit) continue
      const end: Position = { token: last.token, key: last.key, clustering: lastClustering(last) }
      if (lowest === null || this.#comparePositions(end, lowest) < 0) lowest = end
    }
    return lowest
  }

  /** The same within one partition, for answers that reached the limit per partition. */
  #partitionFrontier(versions: readonly (ResponsePartition | null)[]): Buffer | null {
    let lowest: Buffer | null = null
    if (this.#command.perPartitionLimit === NO_LIMIT) return null
    for (const version of versions) {
      if (version === null || version.live < this.#command.perPartitionLimit) continue
      lowest = this.#lower(lowest, lastClustering(version))
    }
    return lowest
  }

  /** The earlier in reading order; null is the end. */
  #lower(a: Buffer | null, b: Buffer | null): Buffer | null {
    if (a === null) return b
    if (b === null) return a
    return this.#compareClusterings(a, b) <= 0 ? a : b
  }

  #compareClusterings(a: Buffer, b: Buffer): number {
    const order = this.#command.table.compareClustering(a, 0, a.length, b, 0, b.length)
    return this.#command.reversed ? -order : order
  }

  #comparePositions(a: Position, b: Position): number {
    const order = comparePartitions(a.token, a.key, b.token, b.key)
    if (order !== 0) return order
    if (a.clustering === null || b.clustering === null) return a.clustering === b.clustering ? 0 : a.clustering === null ? 1 : -1
    return this.#compareClusterings(a.clustering, b.clustering)
  }

  #mergePartition(
    answers: readonly ReplicaAnswer[], versions: readonly (ResponsePartition | null)[], first: ResponsePartition, end: Buffer | null, repairs: PartitionRepair[],
  ): MergedPartition {
    const { table } = this.#command
    let deletion: Deletion | null = null
    const tombstones: RangeTombstone[] = []
    for (const version of versions) {
      if (version === null) continue
      deletion = strongerDeletion(deletion, version.deletion)
      tombstones.push(...version.tombstones)
    }
    const merged: MergedPartition = {
      token: first.token, key: first.key, deletion, rows: [],
      tombstones: disjointRangeTombstones(tombstones, deletion, table.compareClustering),
    }
    const ours = versions.map((version) => ({ version, rows: new Map<MergedRow, Row>() }))
    this.#mergeRows(versions, merged, end, ours)
    if (table.kind === "view" || table.options.readRepair === "NONE") return merged
    ours.forEach(({ version, rows }, index) => {
      const { node } = answers[index] as ReplicaAnswer
      const repair = repairOf(this.#command, merged, version, rows)
      if (repair !== null) repairs.push({ node, mutation: repair })
    })
    return merged
  }

  /** A merge of sorted lists: at each step all versions of the next clustering. */
  #mergeRows(
    versions: readonly (ResponsePartition | null)[], merged: MergedPartition, end: Buffer | null, ours: readonly { rows: Map<MergedRow, Row> }[],
  ): void {
    const at = versions.map(() => 0)
    const next = versions.map((version) => version?.rows[0] ?? null)
    for (;;) {
      let lowest: ResponseRow | null = null
      for (const row of next) if (row !== null && (lowest === null || this.#compareRows(row, lowest) < 0)) lowest = row
      if (lowest === null) return
      if (end !== null && !lowest.isStatic && this.#compareClusterings(rowClustering(lowest.bytes), end) > 0) return
      const group: { readonly index: number; readonly row: Row }[] = []
      next.forEach((row, index) => {
        if (row === null || this.#compareRows(row, lowest) !== 0) return
        group.push({ index, row: decodeRow(new ByteReader(row.bytes)) })
        next[index] = (versions[index] as ResponsePartition).rows[++(at[index] as number)] ?? null
      })
      const row = this.#mergeRow(group.map((member) => member.row), merged)
      if (row === null) continue
      merged.rows.push(row)
      for (const member of group) ours[member.index]?.rows.set(row, member.row)
    }
  }

  #compareRows(a: ResponseRow, b: ResponseRow): number {
    if (a.isStatic || b.isStatic) return a.isStatic === b.isStatic ? 0 : a.isStatic ? -1 : 1
    return this.#compareClusterings(rowClustering(a.bytes), rowClustering(b.bytes))
  }

  #mergeRow(versions: Row[], merged: MergedPartition): MergedRow | null {
    const { table, nowSeconds } = this.#command
    const first = versions[0] as Row
    const { clustering } = first
    const ranged = first.isStatic ? null : coveringDeletion(merged.tombstones, clustering, 0, clustering.length, table.compareClustering)
    const covering = strongerDeletion(merged.deletion, ranged)
    let row: Row | null
    if (table.kind === "view") {
      if (covering !== null) versions.push({ ...first, marker: null, deletion: covering, complexDeletions: [], cells: [] })
      row = mergeEntries(table, versions)
    } else row = mergeRows(versions, covering)
    return row === null ? null : { row, bytes: rowBytes(row), live: isRowLive(table, merged.key, row, nowSeconds) }
  }
}

/** Of the last row that is not static; null: everything of the partition was there. */
function lastClustering(partition: ResponsePartition): Buffer | null {
  const last = partition.rows.at(-1)
  return last === undefined || last.isStatic ? null : rowClustering(last.bytes)
}

/** For each partition in order: the version of every answer, or null. */
function groupPartitions(answers: readonly ReplicaAnswer[]): (ResponsePartition | null)[][] {
  const groups: (ResponsePartition | null)[][] = []
  const at = answers.map(() => 0)
  for (;;) {
    let lowest: ResponsePartition | null = null
    answers.forEach(({ partitions }, index) => {
      const next = partitions[at[index] as number]
      if (next !== undefined && (lowest === null || comparePartitions(next.token, next.key, lowest.token, lowest.key) < 0)) lowest = next
    })
    if (lowest === null) return groups
    const { token, key } = lowest as ResponsePartition
    groups.push(
      answers.map(({ partitions }, index) => {
        const next = partitions[at[index] as number]
        if (next === undefined || comparePartitions(next.token, next.key, token, key) !== 0) return null
        at[index] = (at[index] as number) + 1
        return next
      }),
    )
  }
}
