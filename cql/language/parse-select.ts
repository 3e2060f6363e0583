import type { Ordering, SelectStatement } from "./ast-dml.ts"
import { parseWhere } from "./parse-relations.ts"
import { parseSelectable, parseSelectors } from "./parse-selectables.ts"
import { parseIntegerOrMarker, parseTerm } from "./parse-terms.ts"
import { parseTableName } from "./parse-types.ts"
import type { TokenStream } from "./token-stream.ts"

/** Behind SELECT. */
export function parseSelect(stream: TokenStream): SelectStatement {
  const json = takeModifier(stream, "json")
  const distinct = takeModifier(stream, "distinct")
  const selectors = parseSelectors(stream)
  stream.expectWord("from")
  const table = parseTableName(stream)
  const where = stream.takeWord("where") ? parseWhere(stream) : []
  const groupBy = takeClause(stream, "group") ? stream.list(parseSelectable) : []
  const orderBy = takeClause(stream, "order") ? stream.list(parseOrdering) : []
  let perPartitionLimit = null
  if (stream.takeWord("per")) {
    stream.expectWord("partition")
    stream.expectWord("limit")
    perPartitionLimit = parseIntegerOrMarker(stream)
  }
  const limit = stream.takeWord("limit") ? parseIntegerOrMarker(stream) : null
  const allowFiltering = stream.takeWord("allow")
  if (allowFiltering) stream.expectWord("filtering")
  return { kind: "select", json, distinct, selectors, table, where, groupBy, orderBy, perPartitionLimit, limit, allowFiltering }
}

/** JSON and DISTINCT are also names of columns: they are words of the statement when a selector follows. */
function takeModifier(stream: TokenStream, word: string): boolean {
  if (!stream.isWord(word) || stream.isWord("from", 1) || stream.isWord("as", 1)) return false
  const isOperand = stream.isSymbol(",", 1) || stream.isSymbol(".", 1) || stream.isSymbol("[", 1) || stream.isSymbol("+", 1) || stream.isSymbol("-", 1)
  const isFactor = stream.isSymbol("/", 1) || stream.isSymbol("%", 1) || (stream.isSymbol("*", 1) && !stream.isWord("from", 2))
  return !isOperand && !isFactor && stream.takeWord(word)
}

function takeClause(stream: TokenStream, word: string): boolean {
  if (!stream.takeWord(word)) return false
  stream.expectWord("by")
  return true
}

function parseOrdering(stream: TokenStream): Ordering {
  const column = stream.identifier()
  const ann = stream.takeWords("ann", "of") ? parseTerm(stream) : null
  const descending = stream.takeWord("desc")
  if (!descending) stream.takeWord("asc")
  return { column, descending, ann }
}
