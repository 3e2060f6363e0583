// WITH name = value AND ...: properties of keyspaces, tables, views and indexes.
import { SyntaxError } from "../errors.ts"
import type { Property, PropertyValue } from "./ast-schema.ts"
import { parseLeaf, negate } from "./parse-terms.ts"
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
  if (properties.some(({ name }) => name === property.name)) throw new SyntaxError(`Multiple definition for property '${property.name}'`)
  properties.push(property)
}

export function parseProperty(stream: TokenStream): Property {
  const name = stream.identifier()
  stream.expectSymbol("=")
  return { name, value: parsePropertyValue(stream) }
}

function parsePropertyValue(stream: TokenStream): PropertyValue {
  if (stream.isSymbol("{")) return { kind: "map", entries: parseTextMap(stream) }
  return { kind: "text", text: stream.isIdentifier() ? stream.next() : parseConstantText(stream) }
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
