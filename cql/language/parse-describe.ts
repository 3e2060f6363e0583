import type { DescribeStatement, DescribeTarget } from "./ast-schema.ts"
import { TOKEN } from "./tokens.ts"
import { parseFunctionName, parseQualifiedName, parseTableName } from "./parse-types.ts"
import type { TokenStream } from "./token-stream.ts"

/** Behind DESCRIBE or DESC. */
export function parseDescribe(stream: TokenStream): DescribeStatement {
  const target = parseTarget(stream)
  const withInternals = stream.takeWord("with")
  if (withInternals) stream.expectWord("internals")
  return { kind: "describe", target, withInternals }
}

/** A word is one of DESCRIBE's own when nothing that belongs to a name follows it. */
function takeListWord(stream: TokenStream, word: string): boolean {
  return !stream.isSymbol(".", 1) && stream.takeWord(word)
}

function parseTarget(stream: TokenStream): DescribeTarget {
  for (const kind of ["cluster", "keyspaces", "tables", "types", "functions", "aggregates"] as const) {
    if (takeListWord(stream, kind)) return { kind }
  }
  const full = stream.takeWord("full")
  if (full || stream.isWord("schema")) {
    stream.expectWord("schema")
    return { kind: "schema", full }
  }
  const only = stream.isWord("keyspace", 1) && stream.takeWord("only")
  if (stream.takeWord("keyspace")) return { kind: "keyspace", keyspace: stream.isIdentifier() ? stream.identifier() : null, only }
  return parseNamedTarget(stream)
}

function parseNamedTarget(stream: TokenStream): DescribeTarget {
  if (stream.isWord("table") || stream.isWord("columnfamily")) {
    stream.next()
    return { kind: "table", ...parseTableName(stream) }
  }
  if (stream.takeWord("index")) return { kind: "index", ...parseQualifiedName(stream) }
  if (stream.takeWord("materialized")) {
    stream.expectWord("view")
    return { kind: "view", ...parseTableName(stream) }
  }
  if (isKindBeforeName(stream, "type")) {
    stream.next()
    return { kind: "type", ...parseQualifiedName(stream) }
  }
  for (const kind of ["function", "aggregate"] as const) {
    if (!isKindBeforeName(stream, kind)) continue
    stream.next()
    return { kind, ...parseFunctionName(stream) }
  }
  return { kind: "any", ...parseQualifiedName(stream) }
}

function isKindBeforeName(stream: TokenStream, word: string): boolean {
  return stream.isWord(word) && (stream.kind(1) === TOKEN.word || stream.kind(1) === TOKEN.quoted) && !stream.isWord("with", 1)
}
