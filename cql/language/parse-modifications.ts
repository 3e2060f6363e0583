// INSERT, UPDATE, DELETE, BATCH and TRUNCATE.
import { SyntaxError } from "../errors.ts"
import type {
  Assignment, BatchStatement, DeleteStatement, DeleteTarget, InsertJsonStatement, InsertStatement, ModificationStatement, TableName, TruncateStatement,
  UpdateStatement, UsingClause,
} from "./ast-dml.ts"
import type { Condition } from "./ast-relations.ts"
import { TOKEN } from "./tokens.ts"
import { parseConditions, parseWhere } from "./parse-relations.ts"
import { parseIntegerOrMarker, parseMarker, parseTerm } from "./parse-terms.ts"
import { parseTableName } from "./parse-types.ts"
import type { TokenStream } from "./token-stream.ts"

const parseColumn = (stream: TokenStream): string => stream.identifier()

/** Behind INSERT. */
export function parseInsert(stream: TokenStream): InsertStatement | InsertJsonStatement {
  stream.expectWord("into")
  const table = parseTableName(stream)
  if (stream.takeWord("json")) return parseInsertJson(stream, table)
  stream.expectSymbol("(")
  const columns = stream.list(parseColumn)
  stream.expectSymbol(")")
  stream.expectWord("values")
  stream.expectSymbol("(")
  const values = stream.list(parseTerm)
  stream.expectSymbol(")")
  const ifNotExists = takeIfNotExists(stream)
  return { kind: "insert", table, columns, values, ifNotExists, using: parseUsing(stream) }
}

function parseInsertJson(stream: TokenStream, table: TableName): InsertJsonStatement {
  const marker = parseMarker(stream)
  if (marker === null && stream.kind() !== TOKEN.string) throw stream.noAlternative()
  const json = marker ?? { kind: "constant" as const, type: "string" as const, text: stream.string() }
  let defaultUnset = false
  if (stream.takeWord("default")) {
    defaultUnset = stream.takeWord("unset")
    if (!defaultUnset) stream.expectWord("null")
  }
  const ifNotExists = takeIfNotExists(stream)
  return { kind: "insertJson", table, json, defaultUnset, ifNotExists, using: parseUsing(stream) }
}

export function takeIfNotExists(stream: TokenStream): boolean {
  if (!stream.takeWord("if")) return false
  stream.expectWord("not")
  stream.expectWord("exists")
  return true
}
export function takeIfExists(stream: TokenStream): boolean {
  if (!stream.isWord("if")) return false
  stream.next()
  stream.expectWord("exists")
  return true
}

/** USING TIMESTAMP t AND TTL t, if it is there. */
function parseUsing(stream: TokenStream): UsingClause {
  let timestamp = null
  let timeToLive = null
  if (stream.takeWord("using")) {
    do {
      if (stream.takeWord("timestamp")) timestamp = parseIntegerOrMarker(stream)
      else if (stream.takeWord("ttl")) timeToLive = parseIntegerOrMarker(stream)
      else throw stream.noAlternative()
    } while (stream.takeWord("and"))
  }
  return { timestamp, timeToLive }
}

/** Behind UPDATE. */
export function parseUpdate(stream: TokenStream): UpdateStatement {
  const table = parseTableName(stream)
  const using = parseUsing(stream)
  stream.expectWord("set")
  const assignments = stream.list(parseAssignment)
  checkCompatible(assignments)
  stream.expectWord("where")
  const where = parseWhere(stream)
  return { kind: "update", table, using, assignments, where, ...parseIf(stream) }
}

function parseIf(stream: TokenStream): { ifExists: boolean; conditions: Condition[] } {
  if (!stream.takeWord("if")) return { ifExists: false, conditions: [] }
  // EXISTS may be a column: then an operator follows.
  if (stream.isWord("exists") && (stream.kind(1) === TOKEN.end || stream.isSymbol(";", 1) || stream.kind(1) === TOKEN.word)) {
    stream.next()
    return { ifExists: true, conditions: [] }
  }
  return { ifExists: false, conditions: parseConditions(stream) }
}

function parseAssignment(stream: TokenStream): Assignment {
  const column = stream.identifier()
  if (stream.takeSymbol("=")) return parseNormalAssignment(stream, column)
  if (stream.takeSymbol("+=")) return { kind: "add", column, value: parseTerm(stream) }
  if (stream.takeSymbol("-=")) return { kind: "subtract", column, value: parseTerm(stream) }
  if (stream.takeSymbol("[")) {
    const key = parseTerm(stream)
    stream.expectSymbol("]")
    stream.expectSymbol("=")
    return { kind: "setElement", column, key, value: parseTerm(stream) }
  }
  if (!stream.takeSymbol(".")) throw stream.noAlternative()
  const field = stream.identifier()
  stream.expectSymbol("=")
  return { kind: "setField", column, field, value: parseTerm(stream) }
}

/** Behind `c =`. */
function parseNormalAssignment(stream: TokenStream, column: string): Assignment {
  if (stream.isIdentifier() && (stream.isSymbol("+", 1) || stream.isSymbol("-", 1))) {
    const operand = stream.next()
    const kind = stream.next() === "+" ? "add" : "subtract"
    if (operand !== column) throw new SyntaxError(`Only expressions of the form X = X ${kind === "add" ? "+" : "-"}<value> are supported.`)
    return { kind, column, value: parseTerm(stream) }
  }
  const value = parseTerm(stream)
  if (!stream.takeSymbol("+")) return { kind: "set", column, value }
  if (stream.identifier() !== column) throw new SyntaxError("Only expressions of the form X = <value> + X are supported.")
  return { kind: "prepend", column, value }
}

/** A column may be set twice only element by element or field by field. */
function checkCompatible(assignments: readonly Assignment[]): void {
  const first = new Map<string, Assignment>()
  for (const assignment of assignments) {
    const other = first.get(assignment.column)
    if (other === undefined) first.set(assignment.column, assignment)
    else if (!areCompatible(assignment, other)) throw new SyntaxError(`Multiple incompatible setting of column ${assignment.column}`)
  }
}

function areCompatible(a: Assignment, b: Assignment): boolean {
  if (a.kind === "setField" || b.kind === "setField") return a.kind === "setField" && b.kind === "setField" && a.field !== b.field
  return a.kind !== "set" && b.kind !== "set"
}

/** Behind DELETE. */
export function parseDelete(stream: TokenStream): DeleteStatement {
  if (!stream.isWord("from") && !stream.isIdentifier()) throw stream.mismatch("K_FROM")
  const targets = stream.isWord("from") ? [] : stream.list(parseDeleteTarget)
  stream.expectWord("from")
  const table = parseTableName(stream)
  let timestamp = null
  if (stream.takeWord("using")) {
    stream.expectWord("timestamp")
    timestamp = parseIntegerOrMarker(stream)
  }
  stream.expectWord("where")
  const where = parseWhere(stream)
  return { kind: "delete", table, targets, using: { timestamp, timeToLive: null }, where, ...parseIf(stream) }
}

function parseDeleteTarget(stream: TokenStream): DeleteTarget {
  const column = stream.identifier()
  if (stream.takeSymbol("[")) {
    const key = parseTerm(stream)
    stream.expectSymbol("]")
    return { kind: "element", column, key }
  }
  if (stream.takeSymbol(".")) return { kind: "field", column, field: stream.identifier() }
  if (!stream.isSymbol(",") && !stream.isWord("from")) throw stream.noAlternative(stream.at - 1)
  return { kind: "column", column }
}

/** Behind BEGIN. */
export function parseBatch(stream: TokenStream): BatchStatement {
  const type = stream.takeWord("unlogged") ? "UNLOGGED" : stream.takeWord("counter") ? "COUNTER" : "LOGGED"
  stream.expectWord("batch")
  const using = parseUsing(stream)
  const statements: ModificationStatement[] = []
  while (!stream.takeWord("apply")) {
    statements.push(parseModification(stream))
    stream.takeSymbol(";")
  }
  stream.expectWord("batch")
  return { kind: "batch", type, using, statements }
}

function parseModification(stream: TokenStream): ModificationStatement {
  if (stream.takeWord("insert")) return parseInsert(stream)
  if (stream.takeWord("update")) return parseUpdate(stream)
  if (stream.takeWord("delete")) return parseDelete(stream)
  throw stream.mismatch("K_APPLY")
}

/** Behind TRUNCATE. */
export function parseTruncate(stream: TokenStream): TruncateStatement {
  if (stream.isWord("table") || stream.isWord("columnfamily")) stream.next()
  return { kind: "truncate", table: parseTableName(stream) }
}
