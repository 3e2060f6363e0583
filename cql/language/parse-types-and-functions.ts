// CREATE, ALTER and DROP of types, indexes, functions, aggregates and triggers.
import { SyntaxError } from "../errors.ts"
import type {
  AlterTypeStatement, CreateAggregateStatement, CreateFunctionStatement, CreateIndexStatement, CreateTriggerStatement, CreateTypeStatement,
  DropAggregateStatement, DropFunctionStatement, DropTriggerStatement, IndexTarget, TypeField,
} from "./ast-schema.ts"
import type { TableName } from "./ast-dml.ts"
import type { TypeNode } from "./ast-terms.ts"
import { takeIfExists, takeIfNotExists } from "./parse-modifications.ts"
import { parseProperties } from "./parse-properties.ts"
import { parseRenames } from "./parse-tables.ts"
import { parseTerm } from "./parse-terms.ts"
import { isNativeTypeName, parseFunctionName, parseQualifiedName, parseTableName, parseType } from "./parse-types.ts"
import { RESERVED_TYPE_NAMES } from "./reserved-words.ts"
import type { TokenStream } from "./token-stream.ts"

const parseField = (stream: TokenStream): TypeField => ({ name: stream.identifier(), type: parseType(stream) })

export function parseUserTypeName(stream: TokenStream): TableName {
  const isNative = isNativeTypeName(stream)
  const type = parseQualifiedName(stream)
  if (isNative && type.keyspace === null) throw stream.mismatch("'.'")
  if (RESERVED_TYPE_NAMES.has(type.name)) throw new SyntaxError(`Invalid (reserved) user type name ${type.name}`)
  return type
}

/** Behind CREATE TYPE. */
export function parseCreateType(stream: TokenStream): CreateTypeStatement {
  const ifNotExists = takeIfNotExists(stream)
  const type = parseUserTypeName(stream)
  const fields: TypeField[] = []
  stream.expectSymbol("(")
  do {
    if (stream.isSymbol(")") && fields.length > 0) break
    fields.push(parseField(stream))
  } while (stream.takeSymbol(","))
  stream.expectSymbol(")")
  return { kind: "createType", type, ifNotExists, fields }
}

/** Behind ALTER TYPE. */
export function parseAlterType(stream: TokenStream): AlterTypeStatement {
  const ifExists = takeIfExists(stream)
  const type = parseUserTypeName(stream)
  return { kind: "alterType", type, ifExists, alteration: parseTypeAlteration(stream) }
}

function parseTypeAlteration(stream: TokenStream): AlterTypeStatement["alteration"] {
  if (stream.takeWord("add")) return { kind: "add", ifNotExists: takeIfNotExists(stream), field: parseField(stream) }
  if (stream.takeWord("rename")) return { kind: "rename", ifExists: takeIfExists(stream), fields: parseRenames(stream) }
  if (!stream.takeWord("alter")) throw stream.noAlternative()
  const name = stream.identifier()
  stream.expectWord("type")
  return { kind: "alterField", field: { name, type: parseType(stream) } }
}

/** Behind CREATE [CUSTOM] INDEX. */
export function parseCreateIndex(stream: TokenStream, custom: boolean): CreateIndexStatement {
  const ifNotExists = takeIfNotExists(stream)
  const index = stream.isWord("on") ? null : { keyspace: null, name: stream.identifier() }
  stream.expectWord("on")
  const table = parseTableName(stream)
  stream.expectSymbol("(")
  const targets = stream.listUntil(")", parseIndexTarget)
  let className = null
  if (stream.takeWord("using")) className = stream.isIdentifier() ? stream.next() : stream.string()
  const properties = stream.takeWord("with") ? parseProperties(stream) : []
  return { kind: "createIndex", custom, ifNotExists, index, table, targets, className, properties }
}

function parseIndexTarget(stream: TokenStream): IndexTarget {
  const word = stream.text()
  const isKind = word === "keys" || word === "values" || word === "entries" || word === "full"
  if (!isKind || !stream.isWord(word) || !stream.isSymbol("(", 1)) return { kind: "simple", column: stream.identifier() }
  stream.next()
  stream.expectSymbol("(")
  const column = stream.identifier()
  stream.expectSymbol(")")
  return { kind: word, column }
}

/** Behind CREATE [OR REPLACE] FUNCTION. */
export function parseCreateFunction(stream: TokenStream, orReplace: boolean): CreateFunctionStatement {
  const ifNotExists = takeIfNotExists(stream)
  const name = parseFunctionName(stream)
  stream.expectSymbol("(")
  const parameters = stream.listUntil(")", parseField)
  const calledOnNullInput = stream.takeWord("called")
  if (!calledOnNullInput) {
    stream.expectWord("returns")
    stream.expectWord("null")
  }
  for (const word of ["on", "null", "input", "returns"]) stream.expectWord(word)
  const returnType = parseType(stream)
  stream.expectWord("language")
  const language = stream.identifier()
  stream.expectWord("as")
  return { kind: "createFunction", function: name, orReplace, ifNotExists, arguments: parameters, calledOnNullInput, returnType, language, body: stream.string() }
}

/** Behind CREATE [OR REPLACE] AGGREGATE. */
export function parseCreateAggregate(stream: TokenStream, orReplace: boolean): CreateAggregateStatement {
  const ifNotExists = takeIfNotExists(stream)
  const aggregate = parseFunctionName(stream)
  const argumentTypes = parseArgumentTypes(stream) ?? []
  stream.expectWord("sfunc")
  const stateFunction = stream.identifier()
  stream.expectWord("stype")
  const stateType = parseType(stream)
  const finalFunction = stream.takeWord("finalfunc") ? stream.identifier() : null
  const initialCondition = stream.takeWord("initcond") ? parseTerm(stream) : null
  return { kind: "createAggregate", aggregate, orReplace, ifNotExists, argumentTypes, stateFunction, stateType, finalFunction, initialCondition }
}

/** Behind DROP FUNCTION. */
export function parseDropFunction(stream: TokenStream): DropFunctionStatement {
  const ifExists = takeIfExists(stream)
  return { kind: "dropFunction", ifExists, function: parseFunctionName(stream), argumentTypes: parseArgumentTypes(stream) }
}

/** Behind DROP AGGREGATE. */
export function parseDropAggregate(stream: TokenStream): DropAggregateStatement {
  const ifExists = takeIfExists(stream)
  return { kind: "dropAggregate", ifExists, aggregate: parseFunctionName(stream), argumentTypes: parseArgumentTypes(stream) }
}

/** `(type, ...)`, or null when there is no list. */
export function parseArgumentTypes(stream: TokenStream): TypeNode[] | null {
  return stream.takeSymbol("(") ? stream.listUntil(")", parseType) : null
}

/** Behind CREATE TRIGGER. */
export function parseCreateTrigger(stream: TokenStream): CreateTriggerStatement {
  const ifNotExists = takeIfNotExists(stream)
  const trigger = stream.identifier()
  stream.expectWord("on")
  const table = parseTableName(stream)
  stream.expectWord("using")
  return { kind: "createTrigger", trigger, table, ifNotExists, className: stream.string() }
}

/** Behind DROP TRIGGER. */
export function parseDropTrigger(stream: TokenStream): DropTriggerStatement {
  const ifExists = takeIfExists(stream)
  const trigger = stream.identifier()
  stream.expectWord("on")
  return { kind: "dropTrigger", trigger, table: parseTableName(stream), ifExists }
}
