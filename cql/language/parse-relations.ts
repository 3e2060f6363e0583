// WHERE and IF.
import type { ComparisonOperator, Condition, ConditionTarget, InValues, Relation } from "./ast-relations.ts"
import type { Term } from "./ast-terms.ts"
import { parseMarker, parseTerm } from "./parse-terms.ts"
import { parseQualifiedName } from "./parse-types.ts"
import type { TokenStream } from "./token-stream.ts"

/** Behind WHERE: relations joined by AND. */
export function parseWhere(stream: TokenStream): Relation[] {
  const relations = [parseRelation(stream)]
  while (stream.takeWord("and")) relations.push(parseRelation(stream))
  return relations
}

function parseRelation(stream: TokenStream): Relation {
  if (stream.isSymbol("(")) return parseParenthesised(stream)
  if (stream.isWord("token")) return parseTokenRelation(stream)
  if (stream.isWord("expr") && stream.isSymbol("(", 1)) return parseCustomIndex(stream)
  const start = stream.at
  const column = stream.identifier()
  if (stream.takeSymbol("[")) {
    const key = parseTerm(stream)
    stream.expectSymbol("]")
    return { kind: "element", column, key, operator: parseOperator(stream), value: parseTerm(stream) }
  }
  if (stream.takeWord("in")) return { kind: "in", column, values: parseInValues(stream, parseTerm, start) }
  if (stream.takeWord("contains")) return { kind: "contains", column, key: stream.takeWord("key"), value: parseTerm(stream) }
  if (stream.takeWord("like")) return { kind: "like", column, value: parseTerm(stream) }
  if (stream.takeWord("is")) {
    stream.expectWord("not")
    stream.expectWord("null")
    return { kind: "isNotNull", column }
  }
  return { kind: "comparison", column, operator: parseOperator(stream, start), value: parseTerm(stream) }
}

function parseTokenRelation(stream: TokenStream): Relation {
  stream.next()
  stream.expectSymbol("(")
  const columns = stream.list(parseColumn)
  stream.expectSymbol(")")
  return { kind: "token", columns, operator: parseOperator(stream), value: parseTerm(stream) }
}

function parseCustomIndex(stream: TokenStream): Relation {
  stream.next()
  stream.expectSymbol("(")
  const index = parseQualifiedName(stream)
  stream.expectSymbol(",")
  const value = parseTerm(stream)
  stream.expectSymbol(")")
  return { kind: "customIndex", index, value }
}

const parseColumn = (stream: TokenStream): string => stream.identifier()

/** `(a, b) = ...`, `(a, b) IN ...`, or a relation in parentheses. */
function parseParenthesised(stream: TokenStream): Relation {
  const isColumns = stream.isIdentifier(1) && (stream.isSymbol(",", 2) || stream.isSymbol(")", 2))
  stream.next()
  if (!isColumns) {
    stream.enter()
    const relation = parseRelation(stream)
    stream.leave()
    stream.expectSymbol(")")
    return relation
  }
  const columns = stream.list(parseColumn)
  stream.expectSymbol(")")
  if (stream.takeWord("in")) return { kind: "tupleIn", columns, values: parseInValues(stream, parseTupleOrMarker) }
  return { kind: "tupleComparison", columns, operator: parseOperator(stream), value: parseTupleOrMarker(stream) }
}

function parseTupleOrMarker(stream: TokenStream): Term {
  const marker = parseMarker(stream)
  if (marker !== null) return marker
  stream.expectSymbol("(")
  const elements = stream.list(parseTerm)
  stream.expectSymbol(")")
  return { kind: "tuple", elements }
}

/** Behind IN: `(a, b)` or one marker for the whole list. */
function parseInValues(stream: TokenStream, parse: (stream: TokenStream) => Term, start?: number): InValues {
  const marker = parseMarker(stream)
  if (marker !== null) return { kind: "marker", marker }
  if (!stream.takeSymbol("(")) throw stream.noAlternative(start)
  return { kind: "values", values: stream.listUntil(")", parse) }
}

const OPERATORS: ReadonlySet<string> = new Set<ComparisonOperator>(["=", "<", "<=", ">", ">=", "!="])

/** `start`: the token at which the relation begins. */
function parseOperator(stream: TokenStream, start?: number): ComparisonOperator {
  const text = stream.text()
  if (!stream.isSymbol(text) || !OPERATORS.has(text)) throw stream.noAlternative(start)
  return stream.next() as ComparisonOperator
}

/** Behind IF: conditions joined by AND. */
export function parseConditions(stream: TokenStream): Condition[] {
  const conditions = [parseCondition(stream)]
  while (stream.takeWord("and")) conditions.push(parseCondition(stream))
  return conditions
}

function parseCondition(stream: TokenStream): Condition {
  const column = stream.identifier()
  const target = parseTarget(stream)
  if (stream.takeWord("in")) return { kind: "in", column, target, values: parseInValues(stream, parseTerm) }
  if (stream.takeWord("contains")) return { kind: "contains", column, target, key: stream.takeWord("key"), value: parseTerm(stream) }
  return { kind: "comparison", column, target, operator: parseOperator(stream), value: parseTerm(stream) }
}

function parseTarget(stream: TokenStream): ConditionTarget {
  if (stream.takeSymbol("[")) {
    const key = parseTerm(stream)
    stream.expectSymbol("]")
    return { kind: "element", key }
  }
  return stream.takeSymbol(".") ? { kind: "field", field: stream.identifier() } : { kind: "column" }
}
