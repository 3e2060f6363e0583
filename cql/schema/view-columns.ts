// The columns of a new view, and how they hold the base's.
//
// Ids like those of any table: key columns in key order, then the selected others by name; behind them the hidden columns
// in which the engine keeps its evidence (views.md): a context column for each new key column and filter column, when
// there is no new key column a virtual column for each regular column that is not selected, and the witness.
import type { ColumnDescriptor, TableSchema, ViewDescriptor } from "../../data/schema.ts"
import { nativeType } from "../../data/types/type-name.ts"
import type { CreateViewStatement } from "../language/ast-schema.ts"
import { HIDDEN_NAME_PREFIX } from "./columns.ts"
import type { ViewWhere } from "./view-where.ts"

/** Collects the view's columns; ids count up. REQUIRES: every key column before `finish`. */
export class ViewColumns {
  readonly columns: ColumnDescriptor[] = []
  readonly #base: TableSchema
  readonly #keyNames: string[] = []

  constructor(base: TableSchema) {
    this.#base = base
  }

  /** `descending` undefined: as in the base. */
  key(name: string, kind: "partition_key" | "clustering", position: number, descending: boolean | undefined): void {
    const base = this.#column(name)
    const reversed = kind === "clustering" && (descending ?? base.reversed)
    this.#keyNames.push(name)
    this.columns.push({ id: this.columns.length, name, type: base.type, kind, position, reversed, hidden: null })
  }

  finish(statement: CreateViewStatement, selected: ReadonlySet<string>, where: ViewWhere): ViewDescriptor {
    const base = this.#base
    const keyNames = new Set(this.#keyNames)
    const keyColumns = this.#keyNames.map((name) => this.#column(name))
    const newKeyColumns = keyColumns.filter((column) => column.kind === "regular")
    const filterColumns = base.regulars.filter((column) => where.filtered.has(column.name) && !keyNames.has(column.name))
    const plain = base.regulars.filter((column) => selected.has(column.name) && !keyNames.has(column.name))
    const selectedPairs = plain.map((column) => ({ base: column.id, view: this.#add(column.name, column, null) }))
    const context = [...newKeyColumns, ...filterColumns].map((column) => ({ base: column.id, view: this.#add(contextName(column.name), column, "context") }))
    const unselected = newKeyColumns.length > 0 ? [] : base.regulars.filter((column) => !selected.has(column.name) && !where.filtered.has(column.name))
    const virtual = unselected.map((column) => ({ base: column.id, view: this.#add(virtualName(column.name), column, "virtual") }))
    return {
      baseTable: base.id,
      includeAllColumns: statement.selectors === null,
      whereClause: where.text,
      keyColumns: keyColumns.map((column) => column.id),
      newKeyColumns: newKeyColumns.map((column) => column.id),
      selected: selectedPairs,
      context,
      virtual,
      witness: this.#add(WITNESS_NAME, { type: nativeType("boolean") }, "witness"),
      filters: where.filters,
    }
  }

  #column(name: string): ColumnDescriptor {
    return this.#base.columnByName.get(name) as ColumnDescriptor
  }

  #add(name: string, { type }: Pick<ColumnDescriptor, "type">, hidden: ColumnDescriptor["hidden"]): number {
    const id = this.columns.length
    this.columns.push({ id, name, type, kind: "regular", position: -1, reversed: false, hidden })
    return id
  }
}

const WITNESS_NAME = `${HIDDEN_NAME_PREFIX}witness`
function contextName(column: string): string {
  return `${HIDDEN_NAME_PREFIX}context ${column}`
}
export function virtualName(column: string): string {
  return `${HIDDEN_NAME_PREFIX}virtual ${column}`
}
