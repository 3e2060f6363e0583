// map_keys, map_values, collection_count and the aggregates over the elements of one collection.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { packCollection, unpackCollection } from "../../data/types/collections.ts"
import type { AggregateFunction, FunctionArgument, FunctionSite, Overload, ScalarFunction } from "./function.ts"
import { asBuffer, native } from "./function.ts"
import { InvalidRequestError } from "../errors.ts"
import { typeName } from "../../data/types/type-name.ts"

/** Finds the aggregate of a name for elements of a type. */
export type FindAggregate = (name: string, element: CqlType, site: FunctionSite) => AggregateFunction | null

/** `wanted`: what the argument must be. */
function ofCollection(name: string, wanted: string, build: (type: CqlType, site: FunctionSite) => ScalarFunction | null): [string, readonly Overload[]] {
  const overload: Overload = (args: readonly FunctionArgument[], site: FunctionSite) => {
    const [argument] = args
    const type = args.length === 1 ? argument?.type : null
    if (type === null || type === undefined) return null
    const found = build(type, site)
    if (found === null) throw new InvalidRequestError(`Function system.${name} requires a ${wanted} argument, but found argument ${argument?.text} of type ${typeName(type)}`)
    return found
  }
  return [name, [overload]]
}

function scalarOf(name: string, type: CqlType, returnType: CqlType, body: (parts: readonly Buffer[]) => Uint8Array | null): ScalarFunction {
  return {
    kind: "scalar", name, argumentTypes: [type], returnType, deterministic: true,
    execute: ([value]) => (value === null || value === undefined ? null : body(unpackCollection(asBuffer(value)))),
  }
}

function every(parts: readonly Buffer[], stride: number, offset: number): Buffer[] {
  return parts.filter((_part, index) => index % stride === offset)
}

function elementOf(type: CqlType): CqlType | null {
  return type.kind === "list" || type.kind === "set" ? type.element : null
}

export function collectionFunctions(findAggregate: FindAggregate): [string, readonly Overload[]][] {
  const overElements = (name: string, aggregate: string, wanted: string): [string, readonly Overload[]] =>
    ofCollection(name, wanted, (type, site) => {
      const element = elementOf(type)
      const found = element === null ? null : findAggregate(aggregate, element, site)
      if (found === null) return null
      return scalarOf(name, type, found.returnType, (parts) => {
        const state = found.newState()
        for (const part of parts) state.add([part])
        return state.compute()
      })
    })
  return [
    ofCollection("map_keys", "map", (type) =>
      type.kind === "map" ? scalarOf("map_keys", type, { kind: "set", element: type.key, frozen: false }, (parts) => packCollection(parts.length / 2, every(parts, 2, 0))) : null,
    ),
    ofCollection("map_values", "map", (type) =>
      type.kind === "map" ? scalarOf("map_values", type, { kind: "list", element: type.value, frozen: false }, (parts) => packCollection(parts.length / 2, every(parts, 2, 1))) : null,
    ),
    ofCollection("collection_count", "collection", (type) => {
      if (type.kind !== "map" && elementOf(type) === null) return null
      return scalarOf("collection_count", type, native("int"), (parts) => {
        const count = Buffer.alloc(4)
        count.writeInt32BE(type.kind === "map" ? parts.length / 2 : parts.length)
        return count
      })
    }),
    overElements("collection_min", "min", "set or list"),
    overElements("collection_max", "max", "set or list"),
    overElements("collection_sum", "sum", "numeric set/list"),
    overElements("collection_avg", "avg", "numeric set/list"),
  ]
}
