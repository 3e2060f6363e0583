// A logged batch as a row of system.batches: its mutations as a list, in order, and the metadata epoch of who made it.
import { ByteReader } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { CELL_KIND, type Cell } from "../../data/row.ts"
import { decodeRow } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { highOf, lowOf } from "../../data/timestamp.ts"
import { FULL_RANGE } from "../../data/token.ts"
import { Buffer, assert } from "../../runtime/pure.ts"

export interface LoggedBatch {
  /** A time UUID: when it was made. */
  readonly id: Buffer
  readonly epoch: number
  readonly mutations: readonly Buffer[]
}

function columnId(table: TableSchema, name: string): number {
  const column = table.columnByName.get(name)
  assert(column !== undefined, `system.batches has ${name}`)
  return column.id
}

export function batchMutation(table: TableSchema, batch: LoggedBatch, micros: number): Buffer {
  const cell = (column: string, path: Buffer | null, value: Buffer): Cell => ({
    column: columnId(table, column), path, kind: CELL_KIND.plain, timestampHigh: highOf(micros), timestampLow: lowOf(micros), ttlSeconds: 0, expiresAt: 0, value,
  })
  const version = Buffer.alloc(4)
  version.writeInt32BE(batch.epoch)
  const cells = [...batch.mutations.map((mutation, index) => cell("mutations", elementPath(batch.id, index), mutation)), cell("version", null, version)]
  const writer = new MutationWriter(256)
  writer.begin(batch.id, 0, batch.id.length)
  writer.beginUpdate(table.id)
  writer.row({ isStatic: false, clustering: Buffer.alloc(0), marker: null, deletion: null, complexDeletions: [], cells: cells.toSorted((a, b) => a.column - b.column) })
  writer.endUpdate()
  return Buffer.from(writer.end())
}

/** A time UUID of the batch's time; the last bytes count. */
function elementPath(id: Buffer, index: number): Buffer {
  const path = Buffer.from(id)
  path[8] = 0x80
  path.writeUIntBE(index, 10, 6)
  return path
}

export function removalMutation(table: TableSchema, id: Buffer, micros: number): Buffer {
  const writer = new MutationWriter(64)
  writer.begin(id, 0, id.length)
  writer.beginUpdate(table.id)
  writer.partitionDeletion({ timestampHigh: highOf(micros), timestampLow: lowOf(micros), localDeletionTime: Math.floor(micros / 1_000_000) })
  writer.endUpdate()
  return Buffer.from(writer.end())
}

/** All batches this node keeps, up to `limit` of them. */
export function batchesCommand(table: TableSchema, limit: number): ReadCommand {
  return { table, nowSeconds: 0, target: { kind: "range", range: FULL_RANGE }, slices: null, reversed: false, limit, perPartitionLimit: NO_LIMIT, after: null }
}

export class BatchSink implements RowSink {
  readonly batches: LoggedBatch[] = []
  readonly #mutations: number
  readonly #version: number
  #id = Buffer.alloc(0)

  constructor(table: TableSchema) {
    this.#mutations = columnId(table, "mutations")
    this.#version = columnId(table, "version")
  }

  partition(_token: unknown, key: Uint8Array): void {
    this.#id = Buffer.from(key)
  }
  rangeTombstone(): void {}
  partitionEnd(): void {}
  row(bytes: Uint8Array, from: number, to: number): boolean {
    const { cells } = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    const values = (column: number): Buffer[] => cells.filter((cell) => cell.column === column && cell.value !== null).map(({ value }) => Buffer.from(value as Uint8Array))
    const version = values(this.#version)[0]
    if (version !== undefined) this.batches.push({ id: this.#id, epoch: version.readInt32BE(0), mutations: values(this.#mutations) })
    return true
  }
}
