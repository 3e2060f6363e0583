// The SELECT clause: what is selected, with arithmetic, element and field access. The grammar of terms with columns in it.
import type { Selector } from "./ast-dml.ts"
import type { Selectable } from "./ast-terms.ts"
import { TOKEN } from "./tokens.ts"
import { negate, parseLeaf, parseSetOrMap, parseTerm, parseTypeHint } from "./parse-terms.ts"
import { isFunctionCall, parseFunctionName, parseNativeType } from "./parse-types.ts"
import type { TokenStream } from "./token-stream.ts"

/** `*` (null) or selectors. */
export function parseSelectors(stream: TokenStream): Selector[] | null {
  return stream.takeSymbol("*") ? null : stream.list(parseSelector)
}

function parseSelector(stream: TokenStream): Selector {
  const from = stream.at
  const selectable = parseSelectable(stream)
  if (selectable.kind === "column" && stream.isIdentifier() && !stream.isWord("as")) throw stream.noAlternative(stream.at - 1)
  const text = stream.sourceSince(from)
  return { selectable, alias: stream.takeWord("as") ? stream.identifier() : null, text }
}

export function parseSelectable(stream: TokenStream): Selectable {
  stream.enter()
  let left = parseProduct(stream)
  let links = 0
  for (;;) {
    const operator = stream.isSymbol("+") ? "+" : stream.isSymbol("-") ? "-" : null
    if (operator === null) break
    stream.next()
    stream.link()
    links++
    left = { kind: "arithmetic", operator, left, right: parseProduct(stream) }
  }
  stream.unlink(links)
  stream.leave()
  return left
}

function parseProduct(stream: TokenStream): Selectable {
  let left = parseFactor(stream)
  for (let links = 0; ; links++) {
    const operator = stream.isSymbol("*") ? "*" : stream.isSymbol("/") ? "/" : stream.isSymbol("%") ? "%" : null
    if (operator === null) {
      stream.unlink(links)
      return left
    }
    stream.next()
    stream.link()
    left = { kind: "arithmetic", operator, left, right: parseFactor(stream) }
  }
}

function parseFactor(stream: TokenStream): Selectable {
  if (!stream.takeSymbol("-")) return parseModified(stream)
  stream.enter()
  const operand = parseFactor(stream)
  stream.leave()
  return negate(operand)
}

/** Something with any number of `.field`, `[key]` and `[from..to]` behind it. */
function parseModified(stream: TokenStream): Selectable {
  return parseModifiers(stream, parseGroup(stream))
}

function parseModifiers(stream: TokenStream, receiver: Selectable): Selectable {
  let operand = receiver
  for (let links = 0; ; links++) {
    if (stream.takeSymbol(".")) operand = { kind: "field", operand, field: stream.identifier() }
    else if (stream.takeSymbol("[")) operand = parseSubSelection(stream, operand)
    else {
      stream.unlink(links)
      return operand
    }
    stream.link()
  }
}

/** Behind "[". */
function parseSubSelection(stream: TokenStream, operand: Selectable): Selectable {
  const from = stream.isSymbol("..") ? null : parseTerm(stream)
  if (stream.takeSymbol("..")) {
    const to = stream.isSymbol("]") ? null : parseTerm(stream)
    if (from === null && to === null) throw stream.noAlternative()
    stream.expectSymbol("]")
    return { kind: "slice", operand, from, to }
  }
  stream.expectSymbol("]")
  if (from === null) throw stream.noAlternative()
  return { kind: "element", operand, key: from }
}

function parseGroup(stream: TokenStream): Selectable {
  const leaf = parseLeaf(stream)
  if (leaf !== null) return leaf
  if (stream.kind() !== TOKEN.symbol) return parseColumnOrCall(stream)
  stream.enter()
  const group = parseBracketed(stream)
  stream.leave()
  return group
}

function parseBracketed(stream: TokenStream): Selectable {
  if (stream.takeSymbol("(")) {
    const type = parseTypeHint(stream)
    if (type !== null) return { kind: "typeHint", type, operand: parseGroup(stream) }
    const elements = stream.list(parseSelectable)
    stream.expectSymbol(")")
    return { kind: "tuple", elements }
  }
  if (stream.takeSymbol("[")) return { kind: "list", elements: stream.listUntil("]", parseSelectable) }
  if (!stream.takeSymbol("{")) throw stream.noAlternative()
  return stream.takeSymbol("}") ? { kind: "map", entries: [] } : parseSetOrMap(stream, parseSelectable)
}

function parseColumnOrCall(stream: TokenStream): Selectable {
  if (stream.kind() === TOKEN.word && stream.isSymbol("(", 1)) {
    const special = parseSpecialCall(stream)
    if (special !== null) return special
  }
  if (!isFunctionCall(stream)) return { kind: "column", name: stream.identifier() }
  const name = parseFunctionName(stream)
  stream.expectSymbol("(")
  if (stream.isSymbol("*")) throw stream.mismatch("')'")
  return { kind: "function", name, arguments: stream.listUntil(")", parseSelectable) }
}

/** Calls with a syntax of their own. */
function parseSpecialCall(stream: TokenStream): Selectable | null {
  const name = stream.text()
  switch (name) {
    case "count":
      return parseCountRows(stream)
    case "writetime":
    case "maxwritetime":
    case "ttl": {
      stream.next()
      stream.expectSymbol("(")
      const operand = parseModifiers(stream, { kind: "column", name: stream.identifier() })
      stream.expectSymbol(")")
      return { kind: "cellAttribute", attribute: name, operand }
    }
    case "cast": {
      stream.next()
      stream.expectSymbol("(")
      const operand = parseSelectable(stream)
      stream.expectWord("as")
      const type = parseNativeType(stream)
      stream.expectSymbol(")")
      return { kind: "cast", operand, type }
    }
    default:
      return null
  }
}

function parseCountRows(stream: TokenStream): Selectable | null {
  const isStar = stream.isSymbol("*", 2)
  const isOne = stream.kind(2) === TOKEN.integer && stream.text(2) === "1"
  if (!(isStar || isOne) || !stream.isSymbol(")", 3)) return null
  for (let count = 0; count < 4; count++) stream.next()
  return { kind: "countRows" }
}
