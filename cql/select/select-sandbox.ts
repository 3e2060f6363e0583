// A tiny store in memory and a way to run SELECTs against it: for tests.
import { ByteWriter } from "../../data/bytes.ts"
import { partitionKeyValues, serializePartitionKey } from "../../data/partition-key.ts"
import type { RowSink } from "../../data/local-store.ts"
import type { ClusteringSlice, ReadCommand } from "../../data/read-command.ts"
import { isLive } from "../../data/reconcile.ts"
import { CELL_KIND, type Cell, type Row } from "../../data/row.ts"
import { decodeClustering, encodeClustering, rowBytes } from "../../data/row-format.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { compareTokens, rangeContains, tokenOf } from "../../data/token.ts"
import type { CqlValue } from "../../data/types/operations.ts"
import { decodeValue, encodeValue } from "../../data/types/type-operations.ts"
import { entryVisible } from "../../data/view-entry.ts"
import { Buffer, assert } from "../../runtime/pure.ts"
import { CONSISTENCY } from "../errors.ts"
import type { FunctionContext } from "../functions/context.ts"
import type { SelectStatement } from "../language/ast-dml.ts"
import { parseStatement } from "../language/parse.ts"
import type { Select } from "../plan.ts"
import type { BoundValues, QueryOptions } from "../request.ts"
import { BindVariables } from "../statements/bind-variables.ts"
import { SchemaSandbox } from "../schema/sandbox.ts"
import type { SelectPlan } from "./select-plan.ts"
import { compileSelect } from "./select.ts"

export const NOW_SECONDS = 1_700_000_000

interface Partition {
  readonly key: Buffer
  staticRow: Row | null
  readonly rows: Row[]
}

export interface WriteOptions {
  readonly timestamp?: number
  /** Negative: expired so many seconds ago. */
  readonly ttlSeconds?: number
  /** With a marker, as INSERT; false: as UPDATE. */
  readonly marker?: boolean
  /** Cells of collections: column name to elements. */
  readonly cells?: readonly Cell[]
}

/** Rows by table; no merging: each row is written once. */
export class FakeStore {
  readonly #tables = new Map<number, Map<string, Partition>>()

  put(table: TableSchema, values: Readonly<Record<string, CqlValue | null>>, options: WriteOptions = {}): void {
    const bytesOf = (column: ColumnSchema): Buffer => encodeValue(column.type, values[column.name] as CqlValue)
    const partition = this.#partition(table, serializePartitionKey(table.partitionKey.map(bytesOf)))
    const cellsOf = (columns: readonly ColumnSchema[]): Cell[] =>
      columns.filter((column) => values[column.name] !== undefined).map((column) => cellOf(column, values[column.name] ?? null, options))
    const extra = (columns: readonly ColumnSchema[]): Cell[] => (options.cells ?? []).filter((cell) => columns.some((column) => column.id === cell.column))
    const base = { deletion: null, complexDeletions: [] }
    const order = (cells: Cell[]): Cell[] => cells.sort((a, b) => a.column - b.column || Buffer.compare(a.path ?? Buffer.alloc(0), b.path ?? Buffer.alloc(0)))
    const statics = order([...cellsOf(table.statics), ...extra(table.statics)])
    if (statics.length > 0) partition.staticRow = { ...base, isStatic: true, clustering: Buffer.alloc(0), marker: null, cells: statics }
    if (table.clustering.some((column) => values[column.name] === undefined)) return
    const stamp = { timestampHigh: 0, timestampLow: options.timestamp ?? 1, ttlSeconds: Math.abs(options.ttlSeconds ?? 0), expiresAt: options.ttlSeconds === undefined ? 0 : NOW_SECONDS + options.ttlSeconds }
    const regulars = order([...cellsOf(table.regulars), ...extra(table.regulars)])
    this.putRow(table, partition.key, {
      ...base, isStatic: false, clustering: encodeClustering(table.clustering.map(bytesOf)), marker: options.marker === false ? null : stamp, cells: regulars,
    })
  }

  putRow(table: TableSchema, key: Buffer, row: Row): void {
    const rows = this.#partition(table, key).rows
    rows.push(row)
    rows.sort((a, b) => table.compareClustering(a.clustering, 0, a.clustering.length, b.clustering, 0, b.clustering.length))
  }

  #partition(table: TableSchema, key: Buffer): Partition {
    const partitions = this.#tables.get(table.id) ?? new Map<string, Partition>()
    this.#tables.set(table.id, partitions)
    const partition = partitions.get(key.toString("hex")) ?? { key, staticRow: null, rows: [] }
    partitions.set(key.toString("hex"), partition)
    return partition
  }

  /** As LocalStore.read. */
  read(command: ReadCommand, sink: RowSink): void {
    const { target, after } = command
    const all = [...(this.#tables.get(command.table.id)?.values() ?? [])]
    const inTarget = (partition: Partition): boolean => {
      const token = tokenOf(partition.key)
      if (target.kind === "partition") return partition.key.equals(target.key)
      if (!rangeContains(target.range, token.high, token.low)) return false
      if (after === null) return true
      const order = compareTokens(token, after.token) || Buffer.compare(partition.key, after.key)
      return order > 0 || (order === 0 && after.clustering !== null)
    }
    const sorted = all.filter(inTarget).sort((a, b) => compareTokens(tokenOf(a.key), tokenOf(b.key)) || Buffer.compare(a.key, b.key))
    let left = command.limit
    for (const partition of sorted) {
      const given = sendPartition(command, partition, left, sink)
      if (given < 0) return
      left -= given
      if (left <= 0) return
    }
  }
}

function cellOf(column: ColumnSchema, value: CqlValue | null, options: WriteOptions): Cell {
  const stamp = { column: column.id, path: null, timestampHigh: 0, timestampLow: options.timestamp ?? 1 }
  if (value === null) return { ...stamp, kind: CELL_KIND.tombstone, ttlSeconds: 0, expiresAt: NOW_SECONDS, value: null }
  const bytes = encodeValue(column.type, value)
  if (options.ttlSeconds === undefined) return { ...stamp, kind: CELL_KIND.plain, ttlSeconds: 0, expiresAt: 0, value: bytes }
  return { ...stamp, kind: CELL_KIND.expiring, ttlSeconds: Math.abs(options.ttlSeconds), expiresAt: NOW_SECONDS + options.ttlSeconds, value: bytes }
}

function inSlice(table: TableSchema, slice: ClusteringSlice, clustering: Uint8Array): boolean {
  const compare = (bound: Uint8Array): number => table.compareClustering(clustering, 0, clustering.length, bound, 0, bound.length)
  const start = slice.start.length === 0 ? 1 : compare(slice.start)
  const end = slice.end.length === 0 ? -1 : compare(slice.end)
  return (start > 0 || (start === 0 && slice.startInclusive)) && (end < 0 || (end === 0 && slice.endInclusive))
}

/** How many rows count for the limit; -1: the sink had enough. */
function sendPartition(command: ReadCommand, partition: Partition, left: number, sink: RowSink): number {
  const { table, slices, reversed, after, nowSeconds } = command
  const inside = after !== null && partition.key.equals(Buffer.from(after.key)) ? after.clustering : null
  const isWanted = (row: Row): boolean => {
    if (slices !== null && !slices.some((slice) => inSlice(table, slice, row.clustering))) return false
    if (inside === null) return true
    const order = table.compareClustering(row.clustering, 0, row.clustering.length, inside, 0, inside.length)
    return reversed ? order < 0 : order > 0
  }
  const isLiveHere = (row: Row): boolean =>
    table.kind !== "view" ? isLive(row, nowSeconds) : entryVisible(table, row, [...partitionKeyValues(table, partition.key), ...decodeClustering(row.clustering)], nowSeconds)
  const rows = partition.rows.filter(isWanted)
  if (reversed) rows.reverse()
  sink.partition(tokenOf(partition.key), partition.key, null)
  const send = (row: Row): boolean => {
    // Behind something else, to catch who forgets the offset.
    const out = new ByteWriter()
    out.bytes(Buffer.from("xyz"))
    out.bytes(rowBytes(row))
    const goesOn = sink.row(out.view(), 3, out.length, isLiveHere(row))
    out.view().fill(0xee)
    return goesOn
  }
  if (partition.staticRow !== null) send(partition.staticRow)
  let count = 0
  for (const row of rows) {
    if (count >= Math.min(left, command.perPartitionLimit)) break
    if (isLiveHere(row)) count++
    if (!send(row)) {
      sink.partitionEnd()
      return -1
    }
  }
  sink.partitionEnd()
  return count === 0 && partition.staticRow !== null && isLive(partition.staticRow, nowSeconds) ? 1 : count
}

export interface SelectResult {
  readonly names: readonly string[]
  readonly rows: readonly (readonly (CqlValue | null)[])[]
  readonly pagingState: Buffer | null
  readonly warnings: readonly string[]
}

export class SelectSandbox extends SchemaSandbox {
  readonly store = new FakeStore()
  override readonly functions: FunctionContext = { nowMicros: () => NOW_SECONDS * 1e6, randomBytes: (count) => Buffer.alloc(count, 7) }
  /** Commands run since the sandbox was made. */
  commands: ReadCommand[] = []

  constructor() {
    super()
    this.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  }

  tableSchema(name: string): TableSchema {
    const table = this.schema.table("ks", name)
    assert(table !== null, `table ${name} exists`)
    return table
  }

  put(table: string, values: Readonly<Record<string, CqlValue | null>>, options: WriteOptions = {}): void {
    this.store.put(this.tableSchema(table), values, options)
  }

  compile(text: string): { plan: SelectPlan; variables: BindVariables } {
    const variables = new BindVariables()
    const statement = parseStatement(text) as SelectStatement
    return { plan: compileSelect(statement, { schema: this.schema, keyspace: this.keyspace, variables, functions: this.functions }), variables }
  }

  /** One page. */
  select(text: string, values: readonly (CqlValue | null | undefined)[] = [], pageSize = 0, pagingState: Buffer | null = null): SelectResult {
    const { plan, variables } = this.compile(text)
    const bound = bind(variables, values)
    const options = queryOptions(bound, pageSize, pagingState)
    const select = plan.bind(options, NOW_SECONDS)
    // Bound values live in the client's frame, which is reused.
    bound.buffer.fill(0xdd)
    return this.finish(select)
  }

  /** Options of an unpaged request. */
  options(variables: BindVariables, values: readonly (CqlValue | null | undefined)[]): QueryOptions {
    return queryOptions(bind(variables, values), 0, null)
  }

  finish(select: Select): SelectResult {
    for (let command = select.next(); command !== null; command = select.next()) {
      this.commands.push(command)
      this.store.read(command, select)
    }
    const { metadata, count, rows, pagingState, warnings } = select.result()
    const decoded: (CqlValue | null)[][] = []
    let at = 0
    for (let row = 0; row < count; row++) {
      decoded.push(
        metadata.columns.map(({ type }) => {
          const length = rows.readInt32BE(at)
          const value = length < 0 ? null : decodeValue(type, Buffer.from(rows.subarray(at + 4, at + 4 + length)))
          at += 4 + Math.max(length, 0)
          return value
        }),
      )
    }
    assert(at === rows.length, "rows hold what their count says")
    return { names: metadata.columns.map((column) => column.name), rows: decoded, pagingState, warnings }
  }

  /** All pages one after the other. */
  selectPaged(text: string, values: readonly (CqlValue | null | undefined)[], pageSize: number): readonly (readonly (CqlValue | null)[])[] {
    const rows: (readonly (CqlValue | null)[])[] = []
    let state: Buffer | null = null
    for (let page = 0; page < 10_000; page++) {
      const result = this.select(text, values, pageSize, state)
      assert(result.rows.length <= pageSize, "a page holds no more than its size")
      rows.push(...result.rows)
      state = result.pagingState
      if (state === null) return rows
    }
    assert(false, "paging ends")
  }
}

/** undefined: unset. */
export function bind(variables: BindVariables, values: readonly (CqlValue | null | undefined)[]): BoundValues {
  const parts: Buffer[] = [Buffer.from("frame")]
  const offsets = new Int32Array(values.length)
  const lengths = new Int32Array(values.length)
  let at = 5
  values.forEach((value, index) => {
    const type = variables.specifications()[index]?.type
    assert(type !== undefined, "a variable for each value")
    const bytes = value === null || value === undefined ? Buffer.alloc(0) : encodeValue(type, value)
    offsets[index] = at
    lengths[index] = value === null ? -1 : value === undefined ? -2 : bytes.length
    parts.push(bytes)
    at += bytes.length
  })
  return { buffer: Buffer.concat(parts), count: values.length, offsets, lengths, names: null }
}

export function queryOptions(values: BoundValues, pageSize: number, pagingState: Buffer | null): QueryOptions {
  return {
    consistency: CONSISTENCY.one, serialConsistency: CONSISTENCY.serial, values, skipMetadata: false, pageSize, pagingState,
    hasTimestamp: false, timestampHigh: 0, timestampLow: 0, keyspace: null, nowSeconds: -1,
  }
}
