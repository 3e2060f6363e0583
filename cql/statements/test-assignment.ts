// Can a term be a value of a type? Asked before a term is compiled, for messages and to choose among functions.
import type { CqlType } from "../../data/cql-type.ts"
import type { FunctionArgument, FunctionSite } from "../functions/function.ts"
import { findOperation } from "../functions/operations.ts"
import { resolveFunction } from "../functions/registry.ts"
import { userFunctionsOf } from "../functions/user-functions.ts"
import type { FunctionNode, MapNode, Term, TypeNode } from "../language/ast-terms.ts"
import { type Assignable, preferredType, testConstant } from "./literals.ts"
import { resolveType } from "../schema/types.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { termText } from "./term-text.ts"
import type { TermContext } from "./term.ts"
import { testType } from "./value-compatibility.ts"

export function testAssignment(term: Term, type: CqlType, context: TermContext): Assignable {
  switch (term.kind) {
    case "constant":
      return testConstant(term, type)
    case "null":
    case "marker":
      return "weak"
    case "list":
      if (type.kind === "vector") return term.elements.length === type.dimension ? testAll(term.elements, type.element, context) : "none"
      return type.kind === "list" ? testAll(term.elements, type.element, context) : "none"
    case "set":
      return type.kind === "set" ? testAll(term.elements, type.element, context) : "none"
    case "map":
      return testMap(term, type, context)
    case "udt":
      return testFields(term.fields, type, context)
    case "tuple":
      return testTuple(term.elements, type, context)
    case "function": {
      const returnType = functionReturnType(term, type, context)
      return returnType === null ? "none" : testType(returnType, type)
    }
    case "typeHint":
      return testType(resolveTypeNode(term.type, context), type)
    case "cast":
      return testType(resolveTypeNode(term.type, context), type)
    case "arithmetic":
    case "negation": {
      const own = inferType(term, context)
      return own === null ? "weak" : testType(own, type)
    }
  }
}

/** The type a term has on its own; null when only its context can tell. */
export function inferType(term: Term, context: TermContext): CqlType | null {
  switch (term.kind) {
    case "constant":
      return nativeType(preferredType(term))
    case "typeHint":
    case "cast":
      return resolveTypeNode(term.type, context)
    case "function":
      return functionReturnType(term, null, context)
    case "negation":
      return inferType(term.operand, context)
    case "tuple": {
      const only = term.elements.length === 1 ? term.elements[0] : undefined
      return only === undefined ? null : inferType(only, context)
    }
    case "arithmetic": {
      const left = inferType(term.left, context)
      const right = inferType(term.right, context)
      return left === null || right === null ? null : (findOperation(term.operator, left, right)?.type ?? null)
    }
    default:
      return null
  }
}

function functionReturnType(term: FunctionNode<Term>, receiver: CqlType | null, context: TermContext): CqlType | null {
  return resolveFunction(term.name, functionArguments(term, context), functionSite(context, receiver))?.returnType ?? null
}

export function functionArguments(term: FunctionNode<Term>, context: TermContext): FunctionArgument[] {
  return term.arguments.map((argument) => ({
    test: (type: CqlType) => testAssignment(argument, type, context),
    text: termText(argument),
    type: inferType(argument, context),
  }))
}

export function functionSite(context: TermContext, receiver: CqlType | null): FunctionSite {
  const keyspace = context.table?.keyspace ?? context.keyspace
  return { table: context.table, receiver, userFunctions: (name) => userFunctionsOf(context.schema.keyspaces.get(name.keyspace ?? keyspace ?? "") ?? null, name.name, context.functions) }
}

/** User types are looked up in the table's keyspace, or the session's. */
export function resolveTypeNode(node: TypeNode, context: TermContext): CqlType {
  const keyspace = context.table?.keyspace ?? context.keyspace ?? ""
  return resolveType(node, { keyspace, types: context.schema.keyspaces.get(keyspace)?.types ?? new Map() })
}

/** Exact when all are; none when one is. */
function testAll(terms: readonly Term[], type: CqlType, context: TermContext): Assignable {
  // Nothing in it says what an empty collection holds.
  if (terms.length === 0) return "weak"
  return weakest(terms.map((term) => testAssignment(term, type, context)))
}

function weakest(tests: readonly Assignable[]): Assignable {
  return tests.includes("none") ? "none" : tests.includes("weak") ? "weak" : "exact"
}

function testMap(term: MapNode<Term>, type: CqlType, context: TermContext): Assignable {
  if (type.kind === "set" && term.entries.length === 0) return "weak"
  if (type.kind !== "map") return "none"
  const keys = testAll(term.entries.map(({ key }) => key), type.key, context)
  const values = testAll(term.entries.map(({ value }) => value), type.value, context)
  return weakest([keys, values])
}

function testFields(fields: readonly { readonly name: string; readonly value: Term }[], type: CqlType, context: TermContext): Assignable {
  if (type.kind !== "udt") return "none"
  for (const { name, value } of fields) {
    const field = type.fields.find((candidate) => candidate.name === name)
    if (field === undefined || testAssignment(value, field.type, context) === "none") return "none"
  }
  return "weak"
}

function testTuple(elements: readonly Term[], type: CqlType, context: TermContext): Assignable {
  if (type.kind !== "tuple" || elements.length > type.elements.length) return "none"
  const fits = elements.every((element, index) => testAssignment(element, type.elements[index] as CqlType, context) !== "none")
  return fits ? "weak" : "none"
}
