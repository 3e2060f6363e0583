// Types as CQL text, the way system_schema.columns.type prints them, and back: `frozen<list<int>>`, `map<text, text>`,
// `frozen<"Quoted">`. Freezing goes down: whatever is nested in a frozen type, a tuple or a vector is frozen too, and
// every level says so, but for vectors, which have no other form.
import type { CqlType, NativeTypeName, UdtField } from "../cql-type.ts"
import { isReservedWord } from "./reserved-words.ts"

export const NATIVE_TYPE_NAMES: readonly NativeTypeName[] = [
  "ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float",
  "inet", "int", "smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint",
]

const natives = new Map<string, CqlType>(NATIVE_TYPE_NAMES.map((name) => [name, Object.freeze({ kind: "native", name } as const)]))

/** The one object of a native type. */
export function nativeType(name: NativeTypeName): CqlType {
  return natives.get(name) as CqlType
}

/** An identifier as CQL text: in double quotes unless it is lower case and no reserved word. */
export function quoteIdentifier(name: string): string {
  return /^[a-z][a-z0-9_]*$/.test(name) && !isReservedWord(name) ? name : `"${name.replaceAll('"', '""')}"`
}

export function typeName(type: CqlType): string {
  switch (type.kind) {
    case "native":
      return type.name
    case "list":
      return frozenName(type.frozen, `list<${typeName(type.element)}>`)
    case "set":
      return frozenName(type.frozen, `set<${typeName(type.element)}>`)
    case "map":
      return frozenName(type.frozen, `map<${typeName(type.key)}, ${typeName(type.value)}>`)
    case "tuple":
      return `frozen<tuple<${type.elements.map(typeName).join(", ")}>>`
    case "udt":
      return frozenName(type.frozen, quoteIdentifier(type.name))
    case "vector":
      return `vector<${typeName(type.element)}, ${type.dimension}>`
  }
}

function frozenName(frozen: boolean, name: string): string {
  return frozen ? `frozen<${name}>` : name
}

/** A type text that is none. */
export class TypeSyntaxError extends Error {
  override readonly name = "TypeSyntaxError"
}

/** What `parseType` asks for a name that is no native type; null: unknown. */
export type UdtLookup = (name: string) => { readonly keyspace: string; readonly name: string; readonly fields: readonly UdtField[] } | null

/** Reads what `typeName` prints (and `varchar`). Throws TypeSyntaxError. */
export function parseType(text: string, lookupUdt: UdtLookup): CqlType {
  const parser = new TypeParser(text, lookupUdt)
  const type = parser.parse(false)
  parser.end()
  return type
}

class TypeParser {
  readonly #text: string
  readonly #tokens: readonly string[]
  readonly #lookupUdt: UdtLookup
  #at = 0

  constructor(text: string, lookupUdt: UdtLookup) {
    this.#text = text
    this.#tokens = text.match(/"(?:[^"]|"")+"|[A-Za-z0-9_]+|[<>,]|\S/g) ?? []
    this.#lookupUdt = lookupUdt
  }

  parse(frozen: boolean): CqlType {
    const token = this.#tokens[this.#at++] ?? this.#fail("a type")
    if (this.#tokens[this.#at] === "<") {
      const generic = this.#parseGeneric(token.toLowerCase(), frozen)
      if (generic !== null) return generic
    }
    const native = natives.get(token.toLowerCase() === "varchar" ? "text" : token.toLowerCase())
    if (native !== undefined) return native
    const name = token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase()
    const udt = this.#lookupUdt(name)
    if (udt === null) throw new TypeSyntaxError(`unknown type "${name}" in type "${this.#text}"`)
    return { kind: "udt", keyspace: udt.keyspace, name: udt.name, fields: udt.fields, frozen }
  }

  end(): void {
    if (this.#at !== this.#tokens.length) this.#fail("the end")
  }

  /** Null when the name takes no parameters. */
  #parseGeneric(name: string, frozen: boolean): CqlType | null {
    switch (name) {
      case "frozen":
        return this.#parameters(1, true)[0] as CqlType
      case "list":
      case "set":
        return { kind: name, element: this.#parameters(1, frozen)[0] as CqlType, frozen }
      case "map": {
        const [key, value] = this.#parameters(2, frozen)
        return { kind: "map", key: key as CqlType, value: value as CqlType, frozen }
      }
      case "tuple":
        return { kind: "tuple", elements: this.#parameters(null, true) }
      case "vector":
        return this.#parseVector()
      default:
        return null
    }
  }

  #parameters(count: number | null, frozen: boolean): CqlType[] {
    this.#take("<")
    const types = [this.parse(frozen)]
    while (this.#tokens[this.#at] === ",") {
      this.#at++
      types.push(this.parse(frozen))
    }
    this.#take(">")
    return count === null || types.length === count ? types : this.#fail(`${count} type parameters`)
  }

  #parseVector(): CqlType {
    this.#take("<")
    const element = this.parse(true)
    this.#take(",")
    const dimension = Number(this.#tokens[this.#at])
    if (!Number.isInteger(dimension) || dimension < 1) this.#fail("a dimension")
    this.#at++
    this.#take(">")
    return { kind: "vector", element, dimension }
  }

  #take(token: string): void {
    if (this.#tokens[this.#at] !== token) this.#fail(`"${token}"`)
    this.#at++
  }

  #fail(expected: string): never {
    throw new TypeSyntaxError(`expected ${expected} in type "${this.#text}", found ${this.#tokens[this.#at] ?? "its end"}`)
  }
}
