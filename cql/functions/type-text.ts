import type { CqlType } from "../../data/cql-type.ts"

/** A type as CQL writes it. */
export function typeText(type: CqlType): string {
  switch (type.kind) {
    case "native":
      return type.name
    case "list":
    case "set":
      return frozen(type.frozen, `${type.kind}<${typeText(type.element)}>`)
    case "map":
      return frozen(type.frozen, `map<${typeText(type.key)}, ${typeText(type.value)}>`)
    case "tuple":
      return frozen(true, `tuple<${type.elements.map(typeText).join(", ")}>`)
    case "udt":
      return frozen(type.frozen, type.name)
    case "vector":
      return `vector<${typeText(type.element)}, ${type.dimension}>`
  }
}

function frozen(is: boolean, text: string): string {
  return is ? `frozen<${text}>` : text
}
