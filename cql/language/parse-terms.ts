// Terms: constants, bind markers, collections, tuples, user type values, function calls, casts and arithmetic.
//
//   term     = product { ("+" | "-") product }
//   product  = factor { ("*" | "/" | "%") factor }
//   factor   = "-" factor | simple
//   simple   = constant | null | marker | list | set | map | user type | tuple | call | "(" type ")" simple | CAST
import type { SyntaxError } from "../errors.ts"
import type { BindMarker, Constant, ConstantType, MapEntryNode, Term } from "./ast-terms.ts"
import { TOKEN } from "./tokens.ts"
import { isFunctionCall, parseFunctionName, parseNativeType, parseType } from "./parse-types.ts"
import type { TokenStream } from "./token-stream.ts"

export function parseTerm(stream: TokenStream): Term {
  stream.enter()
  let left = parseProduct(stream)
  let links = 0
  for (;;) {
    const operator = stream.isSymbol("+") ? "+" : stream.isSymbol("-") ? "-" : null
    if (operator === null) break
    // `c = t + c`: the column behind the term belongs to the assignment.
    if (operator === "+" && stream.isIdentifier(1) && !isCallBehind(stream)) break
    stream.next()
    stream.link()
    links++
    left = { kind: "arithmetic", operator, left, right: parseProduct(stream) }
  }
  stream.unlink(links)
  stream.leave()
  if (!mayFollowTerm(stream)) throw stream.noAlternative()
  return left
}

const WORDS_BEHIND_TERMS = new Set(
  "allow and apply as asc desc delete group if insert limit order per primary update using where".split(" "),
)

/** Other words and constants end a statement here. */
function mayFollowTerm(stream: TokenStream): boolean {
  if (stream.kind() === TOKEN.symbol || stream.kind() === TOKEN.end) return true
  return stream.kind() === TOKEN.word && WORDS_BEHIND_TERMS.has(stream.text())
}

function isCallBehind(stream: TokenStream): boolean {
  const at = stream.at
  stream.next()
  const call = isFunctionCall(stream)
  stream.reset(at)
  return call
}

function parseProduct(stream: TokenStream): Term {
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

function parseFactor(stream: TokenStream): Term {
  if (!stream.takeSymbol("-")) return parseSimpleTerm(stream)
  stream.enter()
  const operand = parseFactor(stream)
  stream.leave()
  return negate(operand)
}

const SIGNED: ReadonlySet<ConstantType> = new Set(["integer", "float", "duration"])

/** Numbers and durations take the sign themselves. */
export function negate<E extends { readonly kind: string }>(operand: E | Constant): Constant | { readonly kind: "negation"; readonly operand: E } {
  if (operand.kind === "constant") {
    const constant = operand as Constant
    if (SIGNED.has(constant.type) && !constant.text.startsWith("-")) return { kind: "constant", type: constant.type, text: "-" + constant.text }
  }
  return { kind: "negation", operand: operand as E }
}

export function parseSimpleTerm(stream: TokenStream): Term {
  const leaf = parseLeaf(stream)
  if (leaf !== null) return leaf
  stream.enter()
  const term = parseComposite(stream)
  stream.leave()
  return term
}

function parseComposite(stream: TokenStream): Term {
  if (stream.takeSymbol("[")) return { kind: "list", elements: stream.listUntil("]", parseTerm) }
  if (stream.takeSymbol("{")) return parseBraces(stream)
  if (stream.takeSymbol("(")) {
    const type = parseTypeHint(stream)
    if (type !== null) return { kind: "typeHint", type, operand: parseSimpleTerm(stream) }
    const elements = stream.list(parseTerm)
    stream.expectSymbol(")")
    return { kind: "tuple", elements }
  }
  if (stream.isWord("cast") && stream.isSymbol("(", 1)) return parseCast(stream)
  if (!isFunctionCall(stream)) throw noTerm(stream)
  const name = parseFunctionName(stream)
  stream.expectSymbol("(")
  return { kind: "function", name, arguments: stream.listUntil(")", parseTerm) }
}

/** A name could have been a call's: what stands behind it is wrong. */
function noTerm(stream: TokenStream): SyntaxError {
  const start = stream.at
  if (stream.isIdentifier()) stream.next()
  return stream.noAlternative(start)
}

function parseCast(stream: TokenStream): Term {
  stream.next()
  stream.expectSymbol("(")
  const operand = parseSimpleTerm(stream)
  stream.expectWord("as")
  const type = parseNativeType(stream)
  stream.expectSymbol(")")
  return { kind: "cast", operand, type }
}

/** Behind "(": the type of a hint, consumed with its ")" when a simple term follows; null otherwise. */
export function parseTypeHint(stream: TokenStream): ReturnType<typeof parseType> | null {
  if (stream.kind() !== TOKEN.string && stream.kind() !== TOKEN.word && stream.kind() !== TOKEN.quoted) return null
  const at = stream.at
  const isType = skipType(stream) && stream.isSymbol(")") && startsSimpleTerm(stream, 1)
  stream.reset(at)
  if (!isType) return null
  const type = parseType(stream)
  stream.expectSymbol(")")
  return type
}

/** Moves over what may be a type: names, dots and balanced angle brackets. */
function skipType(stream: TokenStream): boolean {
  let open = 0
  for (;;) {
    if (stream.kind() === TOKEN.end || stream.kind() === TOKEN.symbol) return false
    stream.next()
    if (stream.takeSymbol("<")) {
      open++
      continue
    }
    while (open > 0 && stream.takeSymbol(">")) open--
    if (stream.takeSymbol(".") || (open > 0 && stream.takeSymbol(","))) continue
    return open === 0
  }
}

function startsSimpleTerm(stream: TokenStream, ahead: number): boolean {
  switch (stream.kind(ahead)) {
    case TOKEN.end:
      return false
    case TOKEN.symbol:
      return "([{?:".includes(stream.text(ahead))
    case TOKEN.word:
      return !stream.isWord("as", ahead) && (stream.isIdentifier(ahead) || ["null", "nan", "infinity", "token"].includes(stream.text(ahead)))
    default:
      return true
  }
}

/** Behind "{". */
function parseBraces(stream: TokenStream): Term {
  if (stream.takeSymbol("}")) return { kind: "map", entries: [] }
  if (stream.isIdentifier() && stream.isSymbol(":", 1)) {
    const fields = stream.listUntil("}", (inner) => {
      const name = inner.identifier()
      inner.expectSymbol(":")
      return { name, value: parseTerm(inner) }
    })
    return { kind: "udt", fields }
  }
  return parseSetOrMap(stream, parseTerm)
}

/** Behind "{", not empty: the first separator decides. */
export function parseSetOrMap<E>(stream: TokenStream, parse: (stream: TokenStream) => E): { kind: "set"; elements: E[] } | { kind: "map"; entries: MapEntryNode<E>[] } {
  const first = parse(stream)
  if (stream.takeSymbol(":")) {
    const entries = [{ key: first, value: parse(stream) }]
    while (stream.takeSymbol(",")) {
      const key = parse(stream)
      stream.expectSymbol(":")
      entries.push({ key, value: parse(stream) })
    }
    stream.expectSymbol("}")
    return { kind: "map", entries }
  }
  const elements = [first]
  while (stream.takeSymbol(",")) elements.push(parse(stream))
  stream.expectSymbol("}")
  return { kind: "set", elements }
}

/** A constant, null or a bind marker; null when something else stands there. */
export function parseLeaf(stream: TokenStream): Constant | { readonly kind: "null" } | BindMarker | null {
  const type = CONSTANT_TYPES[stream.kind()]
  if (type !== null && type !== undefined) return { kind: "constant", type, text: stream.next() }
  if (stream.kind() === TOKEN.word) return parseWordLeaf(stream)
  return parseMarker(stream)
}

const CONSTANT_TYPES: readonly (ConstantType | null)[] = [null, null, null, "string", "integer", "float", "hex", "uuid", "duration", "boolean", null]

function parseWordLeaf(stream: TokenStream): Constant | { readonly kind: "null" } | null {
  switch (stream.text()) {
    case "null":
      stream.next()
      return { kind: "null" }
    case "nan":
      stream.next()
      return { kind: "constant", type: "float", text: "NaN" }
    case "infinity":
      stream.next()
      return { kind: "constant", type: "float", text: "Infinity" }
    default:
      return null
  }
}

export function parseMarker(stream: TokenStream): BindMarker | null {
  if (stream.takeSymbol("?")) return { kind: "marker", index: stream.nextMarker(), name: null }
  if (stream.takeSymbol(":")) {
    if (!stream.isIdentifier()) throw stream.noAlternative()
    return { kind: "marker", index: stream.nextMarker(), name: stream.next() }
  }
  return null
}

/** What LIMIT, TTL and TIMESTAMP take: an integer or a marker. */
export function parseIntegerOrMarker(stream: TokenStream): Term {
  const marker = parseMarker(stream)
  if (marker !== null) return marker
  if (stream.kind() !== TOKEN.integer && !(stream.isSymbol("-") && stream.kind(1) === TOKEN.integer)) throw stream.noAlternative()
  return { kind: "constant", type: "integer", text: stream.integer() }
}
