// Finds the function that a call means: by name, then by what is known of the arguments, as Cassandra's FunctionResolver
// does. Native functions come first; an unqualified name means the user's functions of the statement's keyspace as well.
import type { CqlType } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import { compareValues, validate } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import { aggregateFunctions } from "./aggregates.ts"
import { blobFunctions } from "./blob-functions.ts"
import { collectionFunctions } from "./collection-functions.ts"
import type { CqlFunction, FunctionArgument, FunctionName, FunctionSite, Overload } from "./function.ts"
import { native, qualifiedName } from "./function.ts"
import { jsonFunctions } from "./json-functions.ts"
import { maskFunctions } from "./mask-functions.ts"
import { mathFunctions } from "./math-functions.ts"
import { timeFunctions } from "./time-functions.ts"
import { tokenFunction } from "./token-function.ts"
import { vectorFunctions } from "./vector-functions.ts"

function uuidFunction(): CqlFunction {
  return {
    kind: "scalar", name: "uuid", argumentTypes: [], returnType: native("uuid"), deterministic: false,
    execute: (_args, context) => {
      const uuid = context.randomBytes(16)
      uuid[6] = ((uuid[6] as number) & 0x0f) | 0x40
      uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80
      return uuid
    },
  }
}

const BASIC: ReadonlyMap<string, readonly Overload[]> = new Map<string, readonly Overload[]>([
  ["uuid", [uuidFunction()]],
  ["token", [tokenFunction]],
  ...timeFunctions(),
  ...jsonFunctions(),
  ...maskFunctions(),
  ...vectorFunctions(),
  ...mathFunctions(),
  ...blobFunctions((type, bytes) => validate(native(type), bytes) === null),
  ...aggregateFunctions(compareValues),
])

/** min, max, sum and avg as functions of one collection are the aggregates over its elements. */
const FUNCTIONS: ReadonlyMap<string, readonly Overload[]> = new Map<string, readonly Overload[]>([
  ...BASIC,
  ...collectionFunctions((name, element, site) => {
    const argument: FunctionArgument = { text: typeName(element), type: element, test: (type) => (typeName(type) === typeName(element) ? "exact" : "none") }
    const candidates = (BASIC.get(name) ?? []).map((overload) => (typeof overload === "function" ? overload([argument], site) : overload))
    const found = candidates.find((candidate) => candidate !== null && matchArguments(candidate, [argument]) === "exact")
    return found?.kind === "aggregate" ? found : null
  }),
])

export function isFunctionName(name: FunctionName): boolean {
  return (name.keyspace === null || name.keyspace === "system") && FUNCTIONS.has(name.name)
}

/** Null: no function has this name. Throws InvalidRequestError when none of the name takes these arguments, or several do. */
export function resolveFunction(name: FunctionName, args: readonly FunctionArgument[], site: FunctionSite): CqlFunction | null {
  const overloads = isFunctionName(name) ? FUNCTIONS.get(name.name) : undefined
  const users = site.userFunctions?.(name) ?? []
  if (overloads === undefined && users.length === 0) return null
  const candidates: CqlFunction[] = []
  for (const overload of overloads ?? []) {
    const candidate = typeof overload === "function" ? overload(args, site) : overload
    if (candidate !== null) candidates.push(candidate)
  }
  candidates.push(...users)
  const only = candidates[0]
  const printed = name.keyspace === null ? name.name : `${name.keyspace}.${name.name}`
  if (only === undefined) throw new InvalidRequestError(`Invalid call to function ${printed}, none of its type signatures match (known type signatures: )`)
  if (candidates.length === 1) {
    checkArguments(only, args)
    return only
  }
  return choose(printed, candidates, args, site)
}

function choose(printed: string, candidates: readonly CqlFunction[], args: readonly FunctionArgument[], site: FunctionSite): CqlFunction {
  const compatible: CqlFunction[] = []
  for (const candidate of candidates) {
    if (site.receiver !== null && typeName(candidate.returnType) !== typeName(site.receiver)) continue
    const match = matchArguments(candidate, args)
    if (match === "exact") return candidate
    if (match === "weak") compatible.push(candidate)
  }
  const only = compatible[0]
  if (only === undefined) {
    throw new InvalidRequestError(`Invalid call to function ${printed}, none of its type signatures match (known type signatures: ${candidates.map(signature).join(", ")})`)
  }
  if (compatible.length > 1) {
    throw new InvalidRequestError(`Ambiguous call to function ${printed} (can be matched by following signatures: ${compatible.map(signature).join(", ")}): use type casts to disambiguate`)
  }
  return only
}

function matchArguments(candidate: CqlFunction, args: readonly FunctionArgument[]): "exact" | "weak" | "none" {
  if (candidate.argumentTypes.length !== args.length) return "none"
  let result: "exact" | "weak" = "exact"
  for (let index = 0; index < args.length; index++) {
    const test = (args[index] as FunctionArgument).test(candidate.argumentTypes[index] as CqlType)
    if (test === "none") return "none"
    if (test === "weak") result = "weak"
  }
  return result
}

function checkArguments(candidate: CqlFunction, args: readonly FunctionArgument[]): void {
  const wanted = candidate.argumentTypes
  if (wanted.length !== args.length) {
    throw new InvalidRequestError(`Invalid number of arguments in call to function ${qualifiedName(candidate)}: ${wanted.length} required but ${args.length} provided`)
  }
  args.forEach((arg, index) => {
    const type = wanted[index] as CqlType
    if (arg.test(type) === "none") {
      throw new InvalidRequestError(`Type error: ${arg.text} cannot be passed as argument ${index} of function ${qualifiedName(candidate)} of type ${typeName(type)}`)
    }
  })
}

function signature(candidate: CqlFunction): string {
  return `${qualifiedName(candidate)} : (${candidate.argumentTypes.map(typeName).join(", ")}) -> ${typeName(candidate.returnType)}`
}
