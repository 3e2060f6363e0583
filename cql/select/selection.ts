// The SELECT clause: result columns, and for each what computes it. A selection of columns alone stays columns (`plain`),
// which the projector copies without evaluating anything.
import { Buffer } from "../../runtime/pure.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { SelectStatement } from "../language/ast-dml.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import type { AggregateCall, Expression } from "./select-expression.ts"
import { jsonRow } from "./select-json.ts"
import { columnNamed } from "./select-restriction.ts"
import { SelectableCompiler } from "./selectable.ts"
import { type CompiledTerm, type TermContext, UNSET, columnReceiver } from "../statements/term.ts"

export interface Selection {
  readonly columns: readonly ColumnSpecification[]
  /** The columns themselves, each at most once; null when something is computed. */
  readonly plain: readonly ColumnSchema[] | null
  /** The columns that `expressions` read, by slot. */
  readonly fetched: readonly ColumnSchema[]
  /** The expressions look at cells: writetime(), ttl(). */
  readonly needsCells: boolean
  readonly expressions: readonly Expression[]
  readonly aggregates: readonly AggregateCall[]
  readonly terms: readonly CompiledTerm[]
}

export function compileSelection(table: TableSchema, statement: SelectStatement, context: TermContext): Selection {
  const compiler = new SelectableCompiler(table, context)
  const named = statement.selectors === null ? table.columns.map((column) => ({ expression: compiler.column(column), name: column.name })) : compileSelectors(statement, compiler)
  const plain = statement.json ? null : plainColumns(table, statement)
  const outputs = statement.json ? [{ expression: jsonRow(named), name: "[json]" }] : named
  return {
    plain,
    columns: outputs.map(({ expression, name }) => columnReceiver(table, { name, type: statement.json ? nativeType("text") : expression.type })),
    fetched: compiler.fetched,
    needsCells: compiler.needsCells,
    expressions: outputs.map(({ expression }) => expression),
    aggregates: compiler.aggregates,
    terms: compiler.terms,
  }
}

function compileSelectors(statement: SelectStatement, compiler: SelectableCompiler): { expression: Expression; name: string }[] {
  return (statement.selectors ?? []).map((selector) => {
    const expression = compiler.compile(selector.selectable)
    return { expression, name: selector.alias ?? expression.name }
  })
}

function plainColumns(table: TableSchema, statement: SelectStatement): readonly ColumnSchema[] | null {
  if (statement.selectors === null) return table.columns
  const columns: ColumnSchema[] = []
  for (const { selectable } of statement.selectors) {
    if (selectable.kind !== "column") return null
    const column = columnNamed(table, selectable.name)
    if (columns.includes(column)) return null
    columns.push(column)
  }
  return columns
}

const NO_TERMS: readonly Buffer[] = []

/** The values of the selection's terms; copied, since rows are computed when the request's buffer is gone. */
export function bindTerms(selection: Selection, values: BoundValues): readonly (Buffer | null)[] {
  if (selection.terms.length === 0) return NO_TERMS
  return selection.terms.map((term) => {
    const value = term.value(values)
    if (value === UNSET) throw new InvalidRequestError(`Invalid unset value for ${term.receiver.name}`)
    return value === null ? null : Buffer.from(value)
  })
}
