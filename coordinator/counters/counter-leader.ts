// What a replica does with updates of counters that it leads: reads its own shard, adds, and gives the result the next clock.
//
// 1. One partition after the other, in order of arrival, so that no two updates start from the same shard.
// 2. The shard's clock is the microseconds of now, but always after its last one and after every deletion that covers the
//    row: an update after a deletion counts from nothing, and is not deleted with what was before.
// 3. A deletion gets at least the last clock given, so that it covers what was led here before it.
// 4. The result is an ordinary mutation. It is in this node's log before the next update of the partition reads.
import { ByteReader } from "../../data/bytes.ts"
import { countBytes, countOf, isCounterColumn, shardPath } from "../../data/counters.ts"
import type { LocalStore, RowSink } from "../../data/local-store.ts"
import { MutationWriter, mutationKey, visitMutation } from "../../data/mutation.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { compareCellPlaces } from "../../data/reconcile.ts"
import { CELL_KIND, type Cell, type Deletion, type RangeTombstone, type Row } from "../../data/row.ts"
import { FLAG, decodeRangeTombstone, decodeRow, itemFlags } from "../../data/row-format.ts"
import type { Schema, TableId, TableSchema } from "../../data/schema.ts"
import { highOf, lowOf, toNumber } from "../../data/timestamp.ts"
import { tokenOf } from "../../data/token.ts"
import type { Clock } from "../../runtime/clock.ts"
import { Buffer, assert } from "../../runtime/pure.ts"
import { PartitionQueue } from "../partition-queue.ts"

interface Update {
  readonly table: TableSchema
  readonly deletion: Deletion | null
  readonly tombstones: RangeTombstone[]
  readonly rows: Row[]
}

export class CounterLeader {
  readonly #store: LocalStore
  readonly #clock: Clock
  readonly #path: Buffer
  /** By key alone: a mutation may be of several tables. */
  readonly #queue = new PartitionQueue()
  #lastMicros = 0

  /** `process`: a random number that no earlier process of this node had. */
  constructor(store: LocalStore, clock: Clock, node: number, process: number) {
    this.#store = store
    this.#clock = clock
    this.#path = shardPath(node, process)
  }

  /** Applies the update here and resolves with the mutation that all replicas are to have. `mutation` is kept. */
  lead(mutation: Buffer, schema: Schema): Promise<Buffer> {
    return this.#queue.run(0, mutationKey(mutation), () => this.#apply(mutation, schema))
  }

  async #apply(mutation: Buffer, schema: Schema): Promise<Buffer> {
    const key = Buffer.from(mutationKey(mutation))
    const writer = new MutationWriter(256)
    writer.begin(key, 0, key.length)
    for (const update of updatesOf(mutation, schema)) {
      const rows: Row[] = []
      for (const row of update.rows) rows.push(await this.#resolve(update.table, key, row))
      writer.beginUpdate(update.table.id)
      if (update.deletion !== null) writer.partitionDeletion(this.#deletion(update.deletion))
      for (const tombstone of update.tombstones) writer.rangeTombstone({ ...tombstone, deletion: this.#deletion(tombstone.deletion) })
      for (const row of rows) writer.row(row)
      writer.endUpdate()
    }
    const resolved = Buffer.from(writer.end())
    await this.#store.apply(resolved, "client", null)
    return resolved
  }

  /** The row with this process's shards in place of what is to be added. */
  async #resolve(table: TableSchema, key: Buffer, row: Row): Promise<Row> {
    const isDelta = (cell: Cell): boolean => cell.path === null && cell.kind !== CELL_KIND.tombstone && isCounterColumn(table.columnById[cell.column] ?? { type: { kind: "native", name: "int" } })
    if (!row.cells.some(isDelta)) {
      const complexDeletions = row.complexDeletions.map(({ column, deletion }) => ({ column, deletion: this.#deletion(deletion) }))
      return { ...row, deletion: row.deletion === null ? null : this.#deletion(row.deletion), complexDeletions }
    }
    const existing = new ShardSink(row.isStatic, this.#path)
    await this.#store.read(rowCommand(table, key, row), existing)
    const cells = row.cells.map((cell) => (isDelta(cell) ? this.#shard(cell, existing) : cell))
    return { ...row, cells: cells.toSorted(compareCellPlaces) }
  }

  /** Not before the clocks given so far: it deletes what was added before it came. */
  #deletion(deletion: Deletion): Deletion {
    const micros = toNumber(deletion.timestampHigh, deletion.timestampLow)
    if (micros >= this.#lastMicros) return deletion
    return { ...deletion, timestampHigh: highOf(this.#lastMicros), timestampLow: lowOf(this.#lastMicros) }
  }

  #shard(delta: Cell, existing: ShardSink): Cell {
    const shard = existing.shards.get(delta.column)
    this.#lastMicros = Math.max(this.#lastMicros + 1, this.#clock.nowMicros(), existing.newestMicros + 1)
    const count = (shard === undefined ? 0n : countOf(shard.value as Uint8Array)) + countOf(delta.value as Uint8Array)
    const micros = this.#lastMicros
    return {
      column: delta.column, path: this.#path, kind: CELL_KIND.plain, timestampHigh: highOf(micros), timestampLow: lowOf(micros), ttlSeconds: 0, expiresAt: 0, value: countBytes(count),
    }
  }
}

function updatesOf(mutation: Buffer, schema: Schema): Update[] {
  const updates: Update[] = []
  visitMutation(new ByteReader(mutation), {
    update(id: TableId, deletion): void {
      const table = schema.tableById(id)
      assert(table !== null, "the tables of a counter update are known")
      updates.push({ table, deletion, tombstones: [], rows: [] })
    },
    item(bytes, from, to): void {
      const update = updates.at(-1) as Update
      const reader = new ByteReader(bytes, from, to)
      if ((itemFlags(bytes, from) & FLAG.range) !== 0) update.tombstones.push(decodeRangeTombstone(reader))
      else update.rows.push(decodeRow(reader))
    },
  })
  return updates
}

function rowCommand(table: TableSchema, key: Buffer, row: Row): ReadCommand {
  const { clustering } = row
  const slices = row.isStatic || table.clustering.length === 0 ? null : [{ start: clustering, startInclusive: true, end: clustering, endInclusive: true }]
  return {
    table, nowSeconds: 0, target: { kind: "partition", token: tokenOf(key), key }, slices, reversed: false, limit: row.isStatic ? 1 : NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null,
  }
}

/** This process's shards of one row, and the newest time of anything that a new clock must come after. */
class ShardSink implements RowSink {
  readonly shards = new Map<number, Cell>()
  newestMicros = 0
  readonly #isStatic: boolean
  readonly #path: Buffer

  constructor(isStatic: boolean, path: Buffer) {
    this.#isStatic = isStatic
    this.#path = path
  }

  partition(_token: unknown, _key: Uint8Array, deletion: Deletion | null): void {
    this.#see(deletion)
  }
  rangeTombstone({ deletion }: RangeTombstone): void {
    if (!this.#isStatic) this.#see(deletion)
  }
  row(bytes: Uint8Array, from: number, to: number): boolean {
    const row = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    if (row.isStatic !== this.#isStatic) return true
    this.#see(row.deletion)
    for (const { deletion } of row.complexDeletions) this.#see(deletion)
    for (const cell of row.cells) {
      if (cell.path === null || !this.#path.equals(cell.path) || cell.value === null) continue
      this.shards.set(cell.column, cell)
      this.newestMicros = Math.max(this.newestMicros, toNumber(cell.timestampHigh, cell.timestampLow))
    }
    return true
  }
  partitionEnd(): void {}

  /** A client's deletion far in the future covers what is added now, as it would any write. */
  #see(deletion: Deletion | null): void {
    if (deletion === null) return
    const micros = toNumber(deletion.timestampHigh, deletion.timestampLow)
    if (Number.isSafeInteger(micros)) this.newestMicros = Math.max(this.newestMicros, micros)
  }
}
