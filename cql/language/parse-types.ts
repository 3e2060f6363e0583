// Types as they are written, and names of tables, types and functions.
import type { TableName } from "./ast-dml.ts"
import type { FunctionName, TypeNode } from "./ast-terms.ts"
import { TOKEN } from "./tokens.ts"
import type { TokenStream } from "./token-stream.ts"

const NATIVE_TYPES: ReadonlyMap<string, string> = new Map([
  ...("ascii bigint blob boolean counter date decimal double duration float inet int smallint text time timestamp timeuuid tinyint uuid varint".split(" ")
    .map((name): [string, string] => [name, name])),
  ["varchar", "text"],
])

/** `int`, `map<text, frozen<list<int>>>`, `tuple<a, b>`, `vector<float, 3>`, `ks.name`, `'class name'`. */
export function parseType(stream: TokenStream): TypeNode {
  stream.enter()
  const type = parseTypeInside(stream)
  stream.leave()
  return type
}

function parseTypeInside(stream: TokenStream): TypeNode {
  if (stream.kind() === TOKEN.string) return { kind: "custom", className: stream.next() }
  if (stream.kind() === TOKEN.word) {
    const composite = stream.isSymbol("<", 1) || stream.isWord("set") ? parseCompositeType(stream) : null
    if (composite !== null) return composite
    const native = stream.isSymbol(".", 1) ? undefined : NATIVE_TYPES.get(stream.text())
    if (native !== undefined) {
      stream.next()
      return { kind: "native", name: native }
    }
  }
  return { kind: "user", ...parseQualifiedName(stream) }
}

function parseCompositeType(stream: TokenStream): TypeNode | null {
  const name = stream.text()
  if (!COMPOSITE_TYPES.has(name)) return null
  stream.next()
  stream.expectSymbol("<")
  const type = parseTypeArguments(stream, name)
  stream.expectSymbol(">")
  return type
}

const COMPOSITE_TYPES = new Set(["frozen", "list", "set", "map", "tuple", "vector"])

function parseTypeArguments(stream: TokenStream, name: string): TypeNode {
  if (name === "tuple") return { kind: "tuple", elements: stream.list(parseType) }
  const first = parseType(stream)
  if (name === "list" || name === "set") return { kind: name, element: first }
  if (name === "frozen") return { kind: "frozen", type: first }
  stream.expectSymbol(",")
  return name === "map" ? { kind: "map", key: first, value: parseType(stream) } : { kind: "vector", element: first, dimension: Number(stream.integer()) }
}

export function isNativeTypeName(stream: TokenStream): boolean {
  return stream.kind() === TOKEN.word && NATIVE_TYPES.has(stream.text())
}

/** A native type without parameters, as CAST takes it. */
export function parseNativeType(stream: TokenStream): TypeNode {
  const native = stream.kind() === TOKEN.word ? NATIVE_TYPES.get(stream.text()) : undefined
  if (native === undefined) throw stream.noAlternative()
  stream.next()
  return { kind: "native", name: native }
}

/** `name` or `keyspace.name`: types, indexes. */
export function parseQualifiedName(stream: TokenStream): TableName {
  const first = stream.identifier()
  return stream.takeSymbol(".") ? { keyspace: first, name: stream.identifier() } : { keyspace: null, name: first }
}

const WORDS_BEHIND_TABLES = new Set(
  ("add allow alter and apply as delete drop from group if insert json limit norecursive of on order per primary rename set to update using where with").split(" "),
)

/** Tables and views. Without a keyspace, what follows must be what may follow a table somewhere. */
export function parseTableName(stream: TokenStream): TableName {
  const table = parseQualifiedName(stream)
  const follows = stream.kind() === TOKEN.word ? WORDS_BEHIND_TABLES.has(stream.text()) : stream.kind() === TOKEN.end || stream.isSymbol("(") || stream.isSymbol(";")
  if (!follows && table.keyspace === null) throw stream.noAlternative(stream.at - 1)
  return table
}

/** As a table's name, but `token` is a function too. */
export function parseFunctionName(stream: TokenStream): FunctionName {
  const first = functionIdentifier(stream)
  return stream.takeSymbol(".") ? { keyspace: first, name: functionIdentifier(stream) } : { keyspace: null, name: first }
}

function functionIdentifier(stream: TokenStream): string {
  return stream.isWord("token") ? stream.next() : stream.identifier()
}

/** Is there a call: `name(` or `keyspace.name(`? */
export function isFunctionCall(stream: TokenStream): boolean {
  if (!stream.isIdentifier() && !stream.isWord("token")) return false
  if (stream.isSymbol("(", 1)) return true
  return stream.isSymbol(".", 1) && (stream.isIdentifier(2) || stream.isWord("token", 2)) && stream.isSymbol("(", 3)
}
