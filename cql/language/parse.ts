// The entrance to the language: text to syntax tree, by recursive descent with at most a few tokens of look-ahead.
import type { Statement } from "./ast.ts"
import { parseDescribe } from "./parse-describe.ts"
import { parseBatch, parseDelete, parseInsert, parseTruncate, parseUpdate, takeIfExists } from "./parse-modifications.ts"
import {
  parseAddIdentity, parseAlterRole, parseAlterUser, parseCreateRole, parseCreateUser, parseDropIdentity, parseDropRole, parseGrant, parseList,
} from "./parse-roles.ts"
import { parseSelect } from "./parse-select.ts"
import { parseAlterKeyspace, parseAlterTable, parseAlterView, parseCreateKeyspace, parseCreateTable, parseCreateView } from "./parse-tables.ts"
import { parseQualifiedName, parseTableName } from "./parse-types.ts"
import {
  parseAlterType, parseCreateAggregate, parseCreateFunction, parseCreateIndex, parseCreateTrigger, parseCreateType, parseDropAggregate, parseDropFunction,
  parseDropTrigger, parseUserTypeName,
} from "./parse-types-and-functions.ts"
import { TokenStream } from "./token-stream.ts"

/** Parses one statement, with or without a semicolon behind it. Throws SyntaxError. */
export function parseStatement(text: string): Statement {
  const stream = new TokenStream(text)
  const statement = parseAny(stream)
  stream.expectEnd()
  return statement
}

function parseAny(stream: TokenStream): Statement {
  if (stream.takeWord("select")) return parseSelect(stream)
  if (stream.takeWord("insert")) return parseInsert(stream)
  if (stream.takeWord("update")) return parseUpdate(stream)
  if (stream.takeWord("delete")) return parseDelete(stream)
  if (stream.takeWord("begin")) return parseBatch(stream)
  if (stream.takeWord("create")) return parseCreate(stream)
  if (stream.takeWord("alter")) return parseAlter(stream)
  if (stream.takeWord("drop")) return parseDrop(stream)
  if (stream.takeWord("truncate")) return parseTruncate(stream)
  if (stream.takeWord("use")) return { kind: "use", keyspace: stream.identifier() }
  if (stream.takeWord("describe") || stream.takeWord("desc")) return parseDescribe(stream)
  if (stream.takeWord("grant")) return parseGrant(stream, false)
  if (stream.takeWord("revoke")) return parseGrant(stream, true)
  if (stream.takeWord("list")) return parseList(stream)
  if (stream.takeWords("add", "identity")) return parseAddIdentity(stream)
  throw stream.noAlternative()
}

function takeTable(stream: TokenStream): boolean {
  return stream.takeWord("table") || stream.takeWord("columnfamily")
}

function takeView(stream: TokenStream): boolean {
  if (!stream.takeWord("materialized")) return false
  stream.expectWord("view")
  return true
}

function parseCreate(stream: TokenStream): Statement {
  const start = stream.at - 1
  if (takeTable(stream)) return parseCreateTable(stream)
  if (stream.takeWord("keyspace")) return parseCreateKeyspace(stream)
  if (takeView(stream)) return parseCreateView(stream)
  if (stream.takeWord("type")) return parseCreateType(stream)
  if (stream.takeWord("index")) return parseCreateIndex(stream, false)
  if (stream.takeWords("custom", "index")) return parseCreateIndex(stream, true)
  if (stream.takeWord("trigger")) return parseCreateTrigger(stream)
  if (stream.takeWord("role")) return parseCreateRole(stream)
  if (stream.takeWord("user")) return parseCreateUser(stream)
  const orReplace = stream.takeWords("or", "replace")
  if (stream.takeWord("function")) return parseCreateFunction(stream, orReplace)
  if (stream.takeWord("aggregate")) return parseCreateAggregate(stream, orReplace)
  throw stream.noAlternative(start)
}

function parseAlter(stream: TokenStream): Statement {
  if (takeTable(stream)) return parseAlterTable(stream)
  if (stream.takeWord("keyspace")) return parseAlterKeyspace(stream)
  if (takeView(stream)) return parseAlterView(stream)
  if (stream.takeWord("type")) return parseAlterType(stream)
  if (stream.takeWord("role")) return parseAlterRole(stream)
  if (stream.takeWord("user")) return parseAlterUser(stream)
  throw stream.noAlternative(stream.at - 1)
}

function parseDrop(stream: TokenStream): Statement {
  if (takeTable(stream)) return { kind: "dropTable", ifExists: takeIfExists(stream), table: parseTableName(stream) }
  if (stream.takeWord("keyspace")) return { kind: "dropKeyspace", ifExists: takeIfExists(stream), keyspace: stream.identifier() }
  if (takeView(stream)) return { kind: "dropView", ifExists: takeIfExists(stream), view: parseTableName(stream) }
  if (stream.takeWord("type")) return { kind: "dropType", ifExists: takeIfExists(stream), type: parseUserTypeName(stream) }
  if (stream.takeWord("index")) return { kind: "dropIndex", ifExists: takeIfExists(stream), index: parseQualifiedName(stream) }
  if (stream.takeWord("function")) return parseDropFunction(stream)
  if (stream.takeWord("aggregate")) return parseDropAggregate(stream)
  if (stream.takeWord("trigger")) return parseDropTrigger(stream)
  if (stream.takeWord("role") || stream.takeWord("user")) return parseDropRole(stream)
  if (stream.takeWord("identity")) return parseDropIdentity(stream)
  throw stream.noAlternative(stream.at - 1)
}
