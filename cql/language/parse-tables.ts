// CREATE, ALTER and DROP of keyspaces, tables and materialized views.
import type {
  AlterKeyspaceStatement, AlterTableStatement, AlterViewStatement, ClusteringOrder, ColumnDefinition, ColumnMask, CreateKeyspaceStatement,
  CreateTableStatement, CreateViewStatement, PrimaryKeyDefinition, Property, TableAlteration,
} from "./ast-schema.ts"
import { takeIfExists, takeIfNotExists } from "./parse-modifications.ts"
import { addProperty, parseProperties, parseProperty } from "./parse-properties.ts"
import { parseWhere } from "./parse-relations.ts"
import { parseSelectors } from "./parse-selectables.ts"
import { parseTerm } from "./parse-terms.ts"
import { parseFunctionName, parseTableName, parseType } from "./parse-types.ts"
import type { TokenStream } from "./token-stream.ts"

const parseColumn = (stream: TokenStream): string => stream.identifier()

/** Behind CREATE KEYSPACE. */
export function parseCreateKeyspace(stream: TokenStream): CreateKeyspaceStatement {
  const ifNotExists = takeIfNotExists(stream)
  const keyspace = stream.identifier()
  stream.expectWord("with")
  return { kind: "createKeyspace", keyspace, ifNotExists, properties: parseProperties(stream) }
}

/** Behind ALTER KEYSPACE. */
export function parseAlterKeyspace(stream: TokenStream): AlterKeyspaceStatement {
  const ifExists = takeIfExists(stream)
  const keyspace = stream.identifier()
  stream.expectWord("with")
  return { kind: "alterKeyspace", keyspace, ifExists, properties: parseProperties(stream) }
}

/** Behind CREATE TABLE. */
export function parseCreateTable(stream: TokenStream): CreateTableStatement {
  const ifNotExists = takeIfNotExists(stream)
  const table = parseTableName(stream)
  const columns: ColumnDefinition[] = []
  const primaryKeys: PrimaryKeyDefinition[] = []
  stream.expectSymbol("(")
  do {
    // A comma may stand before the closing parenthesis.
    if (stream.isSymbol(")") && columns.length + primaryKeys.length > 0) break
    if (stream.takeWords("primary", "key")) primaryKeys.push(parsePrimaryKey(stream))
    else if (!stream.isIdentifier() && columns.length + primaryKeys.length > 0) throw stream.mismatch("')'")
    else columns.push(parseColumnDefinition(stream, true))
  } while (stream.takeSymbol(","))
  stream.expectSymbol(")")
  return { kind: "createTable", table, ifNotExists, columns, primaryKeys, ...parseTableProperties(stream) }
}

function parseColumnDefinition(stream: TokenStream, mayBeKey: boolean): ColumnDefinition {
  const name = stream.identifier()
  const type = parseType(stream)
  const isStatic = stream.takeWord("static")
  const mask = stream.takeWord("masked") ? parseMask(stream) : null
  const primaryKey = mayBeKey && stream.takeWord("primary")
  if (primaryKey) stream.expectWord("key")
  return { name, type, static: isStatic, primaryKey, mask }
}

/** Behind MASKED. */
function parseMask(stream: TokenStream): ColumnMask {
  stream.expectWord("with")
  if (stream.takeWord("default")) return { function: null, arguments: [] }
  const name = parseFunctionName(stream)
  stream.expectSymbol("(")
  return { function: name, arguments: stream.listUntil(")", parseTerm) }
}

/** Behind PRIMARY KEY: `(a, b)` or `((a, b), c)`. */
function parsePrimaryKey(stream: TokenStream): PrimaryKeyDefinition {
  stream.expectSymbol("(")
  let partitionKey: string[]
  if (stream.takeSymbol("(")) {
    partitionKey = stream.list(parseColumn)
    stream.expectSymbol(")")
  } else partitionKey = [stream.identifier()]
  const clustering = stream.takeSymbol(",") ? stream.list(parseColumn) : []
  stream.expectSymbol(")")
  return { partitionKey, clustering }
}

interface TableProperties {
  readonly clusteringOrder: readonly ClusteringOrder[]
  readonly compactStorage: boolean
  readonly properties: readonly Property[]
}

/** WITH, if it is there. */
function parseTableProperties(stream: TokenStream): TableProperties {
  const clusteringOrder: ClusteringOrder[] = []
  const properties: Property[] = []
  let compactStorage = false
  if (!stream.takeWord("with")) return { clusteringOrder, compactStorage, properties }
  do {
    if (stream.takeWords("compact", "storage")) compactStorage = true
    else if (stream.takeWords("clustering", "order")) clusteringOrder.push(...parseClusteringOrder(stream))
    else addProperty(properties, parseProperty(stream))
  } while (stream.takeWord("and"))
  return { clusteringOrder, compactStorage, properties }
}

/** Behind CLUSTERING ORDER. */
function parseClusteringOrder(stream: TokenStream): ClusteringOrder[] {
  stream.expectWord("by")
  stream.expectSymbol("(")
  const order = stream.list((inner) => {
    const column = inner.identifier()
    if (inner.takeWord("asc")) return { column, descending: false }
    if (inner.takeWord("desc")) return { column, descending: true }
    throw inner.noAlternative()
  })
  stream.expectSymbol(")")
  return order
}

/** Behind ALTER TABLE. */
export function parseAlterTable(stream: TokenStream): AlterTableStatement {
  const ifExists = takeIfExists(stream)
  const table = parseTableName(stream)
  return { kind: "alterTable", table, ifExists, alteration: parseTableAlteration(stream) }
}

function parseTableAlteration(stream: TokenStream): TableAlteration {
  if (stream.takeWord("add")) {
    const ifNotExists = takeIfNotExists(stream)
    const parse = (inner: TokenStream): ColumnDefinition => parseColumnDefinition(inner, false)
    return { kind: "add", ifNotExists, columns: oneOrParenthesised(stream, parse) }
  }
  if (stream.takeWord("drop")) return parseDropColumns(stream)
  if (stream.takeWord("rename")) return { kind: "rename", ifExists: takeIfExists(stream), columns: parseRenames(stream) }
  if (stream.takeWord("alter")) return parseAlterColumn(stream)
  if (stream.takeWord("with")) return { kind: "options", properties: parseProperties(stream) }
  throw stream.noAlternative()
}

function parseDropColumns(stream: TokenStream): TableAlteration {
  if (stream.takeWords("compact", "storage")) return { kind: "dropCompactStorage" }
  const ifExists = takeIfExists(stream)
  const columns = oneOrParenthesised(stream, parseColumn)
  let usingTimestamp = null
  if (stream.takeWord("using")) {
    stream.expectWord("timestamp")
    usingTimestamp = stream.integer()
  }
  return { kind: "drop", ifExists, columns, usingTimestamp }
}

function parseAlterColumn(stream: TokenStream): TableAlteration {
  const ifExists = takeIfExists(stream)
  const column = stream.identifier()
  if (stream.takeWord("type")) return { kind: "alterType", column, type: parseType(stream) }
  if (stream.takeWords("drop", "masked")) return { kind: "mask", ifExists, column, mask: null }
  stream.expectWord("masked")
  return { kind: "mask", ifExists, column, mask: parseMask(stream) }
}

function oneOrParenthesised<T>(stream: TokenStream, parse: (stream: TokenStream) => T): T[] {
  if (!stream.takeSymbol("(")) return [parse(stream)]
  const items = stream.list(parse)
  stream.expectSymbol(")")
  return items
}

/** `a TO b AND c TO d`. */
export function parseRenames(stream: TokenStream): { from: string; to: string }[] {
  const renames: { from: string; to: string }[] = []
  do {
    const from = stream.identifier()
    stream.expectWord("to")
    renames.push({ from, to: stream.identifier() })
  } while (stream.takeWord("and"))
  return renames
}

/** Behind CREATE MATERIALIZED VIEW. */
export function parseCreateView(stream: TokenStream): CreateViewStatement {
  const ifNotExists = takeIfNotExists(stream)
  const view = parseTableName(stream)
  stream.expectWord("as")
  stream.expectWord("select")
  const selectors = parseSelectors(stream)
  stream.expectWord("from")
  const baseTable = parseTableName(stream)
  const where = stream.takeWord("where") ? parseWhere(stream) : []
  stream.expectWord("primary")
  stream.expectWord("key")
  const primaryKey = parsePrimaryKey(stream)
  return { kind: "createView", view, ifNotExists, selectors, baseTable, where, primaryKey, ...parseTableProperties(stream) }
}

/** Behind ALTER MATERIALIZED VIEW. */
export function parseAlterView(stream: TokenStream): AlterViewStatement {
  const ifExists = takeIfExists(stream)
  const view = parseTableName(stream)
  stream.expectWord("with")
  const properties = parseProperties(stream)
  return { kind: "alterView", view, ifExists, properties }
}
