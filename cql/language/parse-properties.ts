// WITH name = value AND ...: properties of keyspaces, tables, views and indexes.
import { SyntaxError } from "../errors.ts"
import type { Property, PropertyValue } from "./ast-schema.ts"
import { parseLeaf, negate } from "./parse-terms.ts"
import { UNRESERVED_KEYWORDS } from "./reserved-words.ts"
import type { TokenStream } from "./token-stream.ts"

/** Behind WITH: properties joined by AND. */
export function parseProperties(stream: TokenStream): Property[] {
  const properties: Property[] = []
  do addProperty(properties, parseProperty(stream))
  while (stream.takeWord("and"))
  return properties
}

/** Refuses a property that is there already. */
export function addProperty(properties: Property[], property: Property): void {
  if (properties.some(({ name }) => name === property.name)) throw new SyntaxError(`Multiple definitions for property '${property.name}'`)
  properties.push(property)
}

export function parseProperty(stream: TokenStream): Property {
  const start = stream.at
  const name = stream.identifier()
  if (!stream.takeSymbol("=")) throw stream.noAlternative(start)
  return { name, value: parsePropertyValue(stream, start) }
}

function parsePropertyValue(stream: TokenStream, start: number): PropertyValue {
  if (stream.isSymbol("{")) return { kind: "map", entries: parseTextMap(stream) }
  if (!stream.isIdentifier()) return { kind: "text", text: parseConstantText(stream) }
  if (!UNRESERVED_KEYWORDS.has(stream.text())) throw stream.noAlternative(start)
  return { kind: "text", text: stream.next() }
}

/** `{'key': 'value', ...}`: constants as text. A key that occurs twice has its last value. */
export function parseTextMap(stream: TokenStream): { key: string; value: string }[] {
  stream.expectSymbol("{")
  const entries = new Map<string, string>()
  const pairs = stream.listUntil("}", (inner) => {
    const key = parseConstantText(inner)
    inner.expectSymbol(":")
    return { key, value: parseConstantText(inner) }
  })
  for (const { key, value } of pairs) entries.set(key, value)
  return [...entries].map(([key, value]) => ({ key, value }))
}

function parseConstantText(stream: TokenStream): string {
  const isNegative = stream.takeSymbol("-")
  const leaf = parseLeaf(stream)
  if (leaf === null || leaf.kind !== "constant") throw stream.noAlternative()
  if (!isNegative) return leaf.text
  const negated = negate(leaf)
  if (negated.kind !== "constant") throw stream.noAlternative()
  return negated.text
}
