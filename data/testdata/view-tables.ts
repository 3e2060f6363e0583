// A base table and views on it for tests: PRIMARY KEY (p, q), regular columns a, b, c, e, f, u (text) and m (map<text, text>,
// a cell per entry). Every view's key is its K+ columns, then p, q (q, p without K+).
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../cql-type.ts"
import { resolveTable } from "../resolve-schema.ts"
import type { ColumnDescriptor, HiddenRole, TableDescriptor, TableSchema, ViewDescriptor, ViewFilter } from "../schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "../table-options.ts"
import { nativeType } from "../types/type-name.ts"

const text = nativeType("text")
const map: CqlType = { kind: "map", key: text, value: text, frozen: false }

export const BASE_ID = { p: 0, q: 1, a: 2, b: 3, c: 4, e: 5, f: 6, u: 7, m: 8 } as const
export type BaseColumn = keyof typeof BASE_ID
const REGULARS = ["a", "b", "c", "e", "f", "u", "m"] as const

function column(id: number, name: string, kind: ColumnDescriptor["kind"], position: number, hidden: HiddenRole | null = null): ColumnDescriptor {
  return { id, name, type: name === "m" ? map : text, kind, position, reversed: false, hidden }
}

function table(id: number, name: string, columns: readonly ColumnDescriptor[], view: ViewDescriptor | null): TableDescriptor {
  return {
    id, uuid: `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`, keyspace: "k", name, columns, nextColumnId: columns.length, droppedColumns: [],
    options: DEFAULT_TABLE_OPTIONS, view, epoch: 1, truncationEpoch: 0,
  }
}

export const BASE_DESCRIPTOR = table(
  1000, "base",
  [column(0, "p", "partition_key", 0), column(1, "q", "clustering", 0), ...REGULARS.map((name) => column(BASE_ID[name], name, "regular", -1))],
  null,
)

export interface ViewDefinition {
  readonly keys: readonly BaseColumn[]
  readonly select: readonly BaseColumn[]
  readonly filters?: readonly { readonly column: BaseColumn; readonly operator: ViewFilter["operator"]; readonly value: string }[]
}

/** As CREATE MATERIALIZED VIEW would lay it out. The first key column is the partition key. */
export function makeView(definition: ViewDefinition, id = 1001, name = "view"): TableSchema {
  const { keys, select, filters = [] } = definition
  const keyNames: BaseColumn[] = keys.length > 0 ? [...keys, "p", "q"] : ["q", "p"]
  const columns: ColumnDescriptor[] = keyNames.map((name, index) => column(index, name, index === 0 ? "partition_key" : "clustering", index === 0 ? 0 : index - 1))
  const add = (names: readonly BaseColumn[], prefix: string, role: HiddenRole | null): { base: number; view: number }[] =>
    names.map((name) => {
      const view = columns.length
      columns.push({ ...column(view, name, "regular", -1, role), name: prefix + name })
      return { base: BASE_ID[name], view }
    })
  const filterColumns = [...new Set(filters.map((filter) => filter.column))].filter((name) => !keyNames.includes(name))
  const selected = add(select, "", null)
  const context = add([...keys, ...filterColumns], "context ", "context")
  const virtual = keys.length > 0 ? [] : add(REGULARS.filter((name) => !select.includes(name)), "virtual ", "virtual")
  const witness = columns.length
  columns.push({ ...column(witness, "witness", "regular", -1, "witness"), type: nativeType("blob") })
  const view: ViewDescriptor = {
    baseTable: 1000, includeAllColumns: false, whereClause: "", keyColumns: keyNames.map((name) => BASE_ID[name]), newKeyColumns: keys.map((name) => BASE_ID[name]),
    selected, context, virtual, witness,
    filters: filters.map((filter) => ({ column: BASE_ID[filter.column], operator: filter.operator, value: Buffer.from(filter.value).toString("base64") })),
  }
  return resolveTable(table(id, name, columns, view))
}

export const BASE = resolveTable(BASE_DESCRIPTOR)
