// What a view ought to show, recomputed from the merged base rows by the definition of views (views.md, section 1), and what
// readers see of it. Works on the tables of data/testdata/view-tables.ts: text columns, and a map<text, text> named m.
import type { Consistency } from "../../cql/errors.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import { partitionKeyValues } from "../../data/partition-key.ts"
import { coveringDeletion, isLive, isLiveCell, mergeRows } from "../../data/reconcile.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import { decodeClustering, decodeRow } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { BASE_ID, type BaseColumn, type ViewDefinition } from "../../data/testdata/view-tables.ts"
import { Buffer } from "../../runtime/pure.ts"
import { type SimulatedCluster, wholeTable } from "./cluster.ts"

/** "key values | column=value …" of every row, sorted. */
export type Shown = readonly string[]

export interface BaseRow {
  readonly key: readonly string[]
  readonly row: Row
}

function text(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
}

/** Every live value of one column: the value itself, or "{k:v,…}" of a map; null when there is none. */
function columnText(row: Row, column: number, nowSeconds: number): string | null {
  const cells = row.cells.filter((cell) => cell.column === column && isLiveCell(cell, nowSeconds))
  if (cells.length === 0) return null
  const [only] = cells
  if (only !== undefined && only.path === null) return text(only.value as Uint8Array)
  return `{${cells.map(({ path, value }) => `${text(path as Uint8Array)}:${text(value as Uint8Array)}`).join()}}`
}

/** Rows as a read gives them, decoded, with what covers them. */
export class RowCollector implements RowSink {
  readonly rows: BaseRow[] = []
  readonly live: BaseRow[] = []
  readonly #table: TableSchema
  #key: readonly string[] = []
  #deletion: Deletion | null = null
  #tombstones: RangeTombstone[] = []

  constructor(table: TableSchema) {
    this.#table = table
  }
  partition(_token: unknown, key: Uint8Array, deletion: Deletion | null): void {
    this.#key = partitionKeyValues(this.#table, Buffer.from(key)).map(text)
    this.#deletion = deletion
    this.#tombstones = []
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.#tombstones.push(tombstone)
  }
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    const decoded = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    const key = [...this.#key, ...decodeClustering(decoded.clustering).map(text)]
    const row = this.#table.kind === "view" ? decoded : mergeRows([decoded], coveringDeletion(this.#table, decoded.clustering, this.#deletion, this.#tombstones))
    if (row === null || row.isStatic) return true
    this.rows.push({ key, row })
    if (live) this.live.push({ key, row })
    return true
  }
  partitionEnd(): void {}
}

/** The query, straight from the base rows. */
export function recompute(definition: ViewDefinition, base: readonly BaseRow[], nowSeconds: number): Shown {
  const shown: string[] = []
  for (const { key, row } of base) {
    const value = (name: BaseColumn): string | null => (name === "p" ? (key[0] as string) : name === "q" ? (key[1] as string) : columnText(row, BASE_ID[name], nowSeconds))
    const viewKey = (definition.keys.length > 0 ? [...definition.keys, "p", "q"] as const : ["q", "p"] as const).map(value)
    if (viewKey.includes(null)) continue
    if (!(definition.filters ?? []).every(({ column, operator, value: operand }) => holds(value(column), operator, operand))) continue
    if (definition.keys.length === 0 && !isLive(row, nowSeconds)) continue
    shown.push(`${viewKey.join("/")} | ${definition.select.map((name) => `${name}=${value(name) ?? "null"}`).join(" ")}`)
  }
  return shown.toSorted()
}

function holds(value: string | null, operator: string, operand: string): boolean {
  if (value === null) return false
  const order = Buffer.compare(Buffer.from(value), Buffer.from(operand))
  return { "=": order === 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0 }[operator] as boolean
}

/** What readers see, from the entries that are live. */
export function showEntries(view: TableSchema, definition: ViewDefinition, entries: readonly BaseRow[], nowSeconds: number): Shown {
  return entries
    .map(({ key, row }) => {
      const values = definition.select.map((name) => {
        const column = view.regulars.find((regular) => regular.name === name)
        return `${name}=${(column === undefined ? null : columnText(row, column.id, nowSeconds)) ?? "null"}`
      })
      return `${key.join("/")} | ${values.join(" ")}`
    })
    .toSorted()
}

/** The view as a read through `node` shows it at the time. */
export async function readView(cluster: SimulatedCluster, node: number, view: TableSchema, definition: ViewDefinition, nowSeconds: number, consistency: Consistency): Promise<Shown> {
  const collector = new RowCollector(view)
  await cluster.read(node, wholeTable(view, nowSeconds), consistency, collector)
  return showEntries(view, definition, collector.live, nowSeconds)
}

/** Every row of the table as a read through `node` merges it, dead cells included. Repairs the replicas it asks. */
export async function readBase(cluster: SimulatedCluster, node: number, base: TableSchema, nowSeconds: number, consistency: Consistency): Promise<BaseRow[]> {
  const collector = new RowCollector(base)
  await cluster.read(node, wholeTable(base, nowSeconds), consistency, collector)
  return collector.rows
}
