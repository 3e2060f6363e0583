// Makes one mutation of all those with the same partition key: what a batch on one partition is, so that it is one record
// in every replica's log.
//
// 1. Mutations are grouped by key, in the order of the keys' first appearance; a key that comes once is copied.
// 2. Of each table the partition deletions, range tombstones, static rows and rows are reconciled, and written in the
//    order the format wants. What a deletion of the same batch removes is dropped.
// 3. Rows are decoded only when they meet another version or a deletion; others are copied as bytes.
//
// Not for counters, whose updates add up instead of replacing each other.
import type { Buffer } from "../runtime/pure.ts"
import { ByteReader, readInt32, readUint32 } from "./bytes.ts"
import { MutationWriter, mutationKey, visitMutation } from "./mutation.ts"
import { coveringDeletion, disjointRangeTombstones, strongerDeletion } from "./range-tombstones.ts"
import { mergeRows } from "./reconcile.ts"
import type { Deletion, RangeTombstone, Row } from "./row.ts"
import { FLAG, clusteringEnd, clusteringStart, decodeRangeTombstone, decodeRow, itemFlags } from "./row-format.ts"
import type { Schema, TableId, TableSchema } from "./schema.ts"
import { mergeEntries } from "./view-entry.ts"

/** Of a mutation's token. */
const TOKEN_AT = 8
const TOKENS_COMPARED = 64
/** Of one batch, while it is looked at. */
const tokens = new Int32Array(2 * TOKENS_COMPARED)

interface Item {
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

/** Everything that the mutations of one key say about one table. */
interface TableUpdate {
  readonly table: TableSchema
  deletion: Deletion | null
  readonly tombstones: RangeTombstone[]
  readonly statics: Item[]
  readonly rows: Item[]
}

/**
 * `mutations` holds `count` mutations one behind the other; so does the result. It is `mutations` itself when all keys
 * differ. Mutations of tables that the schema does not know stay apart. Throws CorruptionError.
 */
export function combineMutations(mutations: Buffer, count: number, schema: Pick<Schema, "tableById">): { bytes: Buffer; count: number } {
  if (tokensDiffer(mutations, count)) return { bytes: mutations, count }
  const groups = groupByKey(mutations, count)
  if (groups.size === count) return { bytes: mutations, count }
  const writer = new MutationWriter(mutations.length)
  let written = 0
  for (const group of groups.values()) {
    const first = group[0] as Buffer
    const updates = group.length === 1 ? null : collectUpdates(group, schema)
    if (updates === null) {
      for (const mutation of group) writer.out.bytes(mutation)
      written += group.length
      continue
    }
    const key = mutationKey(first)
    writer.begin(key, 0, key.length)
    for (const update of updates.values()) writeUpdate(update, writer)
    writer.end()
    written++
  }
  return { bytes: writer.out.view(), count: written }
}

/**
 * Whether a batch of usual size has no token twice, and so no key: nearly every batch over several partitions. Comparing each
 * with each costs a batch of ten 0.1 us, grouping by key 3.
 */
function tokensDiffer(mutations: Buffer, count: number): boolean {
  if (count > TOKENS_COMPARED) return false
  let at = 0
  for (let index = 0; index < count; index++) {
    const high = readInt32(mutations, at + TOKEN_AT)
    const low = readInt32(mutations, at + TOKEN_AT + 4)
    for (let other = 0; other < index; other++) if (tokens[2 * other] === high && tokens[2 * other + 1] === low) return false
    tokens[2 * index] = high
    tokens[2 * index + 1] = low
    at += readUint32(mutations, at)
  }
  return true
}

function groupByKey(mutations: Buffer, count: number): Map<string, Buffer[]> {
  const groups = new Map<string, Buffer[]>()
  let at = 0
  for (let left = count; left > 0; left--) {
    const mutation = mutations.subarray(at, at + new ByteReader(mutations, at).uint32("mutation size"))
    at += mutation.length
    const key = mutationKey(mutation).toString("latin1")
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [mutation])
    else group.push(mutation)
  }
  return groups
}

/** Null when a table is not known. */
function collectUpdates(group: readonly Buffer[], schema: Pick<Schema, "tableById">): Map<TableId, TableUpdate> | null {
  const updates = new Map<TableId, TableUpdate>()
  let current: TableUpdate | null = null
  let known = true
  const visitor = {
    update(id: TableId, deletion: Deletion | null): void {
      const table = schema.tableById(id)
      known &&= table !== null
      if (table === null) return
      current = updates.get(id) ?? { table, deletion: null, tombstones: [], statics: [], rows: [] }
      updates.set(id, current)
      current.deletion = strongerDeletion(current.deletion, deletion)
    },
    item(bytes: Buffer, from: number, to: number): void {
      if (current === null) return
      const flags = itemFlags(bytes, from)
      if ((flags & FLAG.range) !== 0) current.tombstones.push(decodeRangeTombstone(new ByteReader(bytes, from, to)))
      else (flags & FLAG.static ? current.statics : current.rows).push({ bytes, from, to })
    },
  }
  for (const mutation of group) visitMutation(new ByteReader(mutation), visitor)
  return known ? updates : null
}

function writeUpdate(update: TableUpdate, writer: MutationWriter): void {
  const { table, deletion, statics, rows } = update
  const compare = table.compareClustering
  writer.beginUpdate(table.id)
  if (deletion !== null) writer.partitionDeletion(deletion)
  if (statics.length > 0) writeMerged(table, statics, deletion, writer)
  const tombstones = disjointRangeTombstones(update.tombstones, deletion, compare)
  for (const tombstone of tombstones) writer.rangeTombstone(tombstone)
  rows.sort((a, b) => compareItems(table, a, b))
  for (let at = 0; at < rows.length; ) {
    const first = rows[at] as Item
    let end = at + 1
    while (end < rows.length && compareItems(table, first, rows[end] as Item) === 0) end++
    const ranged = tombstones.length === 0 ? null : coveringDeletion(tombstones, first.bytes, clusteringStart(first.from), clusteringEnd(first.bytes, first.from), compare)
    writeMerged(table, rows.slice(at, end), strongerDeletion(deletion, ranged), writer)
    at = end
  }
  writer.endUpdate()
}

function compareItems(table: TableSchema, a: Item, b: Item): number {
  return table.compareClustering(
    a.bytes, clusteringStart(a.from), clusteringEnd(a.bytes, a.from),
    b.bytes, clusteringStart(b.from), clusteringEnd(b.bytes, b.from),
  )
}

/** Writes the versions of one row as one, or nothing when `covering` removes all of it. */
function writeMerged(table: TableSchema, versions: readonly Item[], covering: Deletion | null, writer: MutationWriter): void {
  const [first] = versions
  if (first !== undefined && versions.length === 1 && covering === null) {
    writer.item(first.bytes, first.from, first.to)
    return
  }
  const decoded = versions.map(({ bytes, from, to }): Row => decodeRow(new ByteReader(bytes, from, to)))
  const merged = table.kind === "view" ? mergeEntries(table, decoded) : mergeRows(decoded, covering)
  if (merged !== null) writer.row(merged)
}
