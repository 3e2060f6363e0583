// Collection, user type and tuple literals: their parts compiled one by one, put together when values are bound.
import type { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { packCollection, sortedElements } from "../../data/types/collections.ts"
import { packTuple } from "../../data/types/tuples.ts"
import { typeName } from "../../data/types/type-name.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import type { ListNode, MapNode, SetNode, Term, TupleNode, UserTypeNode } from "../language/ast-terms.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import { type Assignable } from "./literals.ts"
import { packMap, packVector } from "./pack-values.ts"
import { termText } from "./term-text.ts"
import { type CompiledTerm, type TermContext, type TermValue, UNSET, pseudoReceiver } from "./term.ts"
import { testAssignment } from "./test-assignment.ts"

export type CompositeTerm = ListNode<Term> | SetNode<Term> | MapNode<Term> | UserTypeNode<Term> | TupleNode<Term>
/** How the parts are compiled: compileTerm, handed in because it needs this file. */
export type CompilePart = (term: Term, receiver: ColumnSpecification, context: TermContext) => CompiledTerm

export interface CompiledComposite {
  readonly term: CompiledTerm
  /** All parts are constants. */
  readonly isConstant: boolean
}

export function compileCollection(term: CompositeTerm, receiver: ColumnSpecification, context: TermContext, compile: CompilePart): CompiledComposite {
  const type = receiver.type
  switch (term.kind) {
    case "list":
      if (type.kind === "vector") return compileVector(term, type, receiver, context, compile)
      return compileElements("list", term.elements, type.kind === "list" ? type.element : null, receiver, context, compile)
    case "set":
      return compileElements("set", term.elements, type.kind === "set" ? type.element : null, receiver, context, compile)
    case "map":
      return compileMap(term, receiver, context, compile)
    case "udt":
      return compileUserType(term, receiver, context, compile)
    case "tuple":
      return compileTuple(term, receiver, context, compile)
  }
}

function composite(receiver: ColumnSpecification, parts: readonly CompiledTerm[], value: (values: BoundValues) => TermValue): CompiledComposite {
  const isConstant = parts.every((part) => part.constant !== undefined)
  return { term: { receiver, marker: -1, constant: undefined, value }, isConstant }
}

function refuse(what: string, receiver: ColumnSpecification): never {
  throw new InvalidRequestError(`Invalid ${what} literal for ${receiver.name} of type ${typeName(receiver.type)}`)
}

function check(test: Assignable, message: () => string): void {
  if (test === "none") throw new InvalidRequestError(message())
}

/** The parts' values; null and unset cannot be elements. */
function elementValues(parts: readonly CompiledTerm[], values: BoundValues, whole = "collections"): Buffer[] {
  return parts.map((part) => {
    const value = part.value(values)
    if (value === null) throw new InvalidRequestError(`null is not supported inside ${whole}`)
    if (value === UNSET) throw new InvalidRequestError(`unset value is not supported inside ${whole}`)
    return value
  })
}

function compileElements(
  kind: "list" | "set", elements: readonly Term[], type: CqlType | null, receiver: ColumnSpecification, context: TermContext, compile: CompilePart,
): CompiledComposite {
  if (type === null) {
    if (kind === "list") throw new InvalidRequestError(`Unexpected receiver type '${typeName(receiver.type)}'; only list and vector are expected`)
    refuse(kind, receiver)
  }
  const part = pseudoReceiver(receiver, `value(${receiver.name})`, type)
  const parts = elements.map((element) => {
    check(testAssignment(element, type, context), () => `Invalid ${kind} literal for ${receiver.name}: value ${termText(element)} is not of type ${typeName(type)}`)
    return compile(element, part, context)
  })
  return composite(receiver, parts, (values) => {
    const encoded = elementValues(parts, values)
    const stored = kind === "set" ? sortedElements(encoded, compareValues(type)) : encoded
    return packCollection(stored.length, stored)
  })
}

function compileVector(
  term: ListNode<Term>, type: Extract<CqlType, { kind: "vector" }>, receiver: ColumnSpecification, context: TermContext, compile: CompilePart,
): CompiledComposite {
  if (term.elements.length !== type.dimension) {
    throw new InvalidRequestError(
      `Invalid vector literal for ${receiver.name} of type ${typeName(type)}; expected ${type.dimension} elements, but given ${term.elements.length}`,
    )
  }
  const part = pseudoReceiver(receiver, `value(${receiver.name})`, type.element)
  const parts = term.elements.map((element) => {
    check(testAssignment(element, type.element, context), () => `Invalid vector literal for ${receiver.name}: value ${termText(element)} is not of type ${typeName(type.element)}`)
    return compile(element, part, context)
  })
  return composite(receiver, parts, (values) => packVector(type.element, elementValues(parts, values, "vectors")))
}

function compileMap(term: MapNode<Term>, receiver: ColumnSpecification, context: TermContext, compile: CompilePart): CompiledComposite {
  const type = receiver.type
  if (term.entries.length === 0 && type.kind !== "map") return compileElements("set", [], type.kind === "set" ? type.element : null, receiver, context, compile)
  if (type.kind !== "map") refuse("map", receiver)
  const keyReceiver = pseudoReceiver(receiver, `key(${receiver.name})`, type.key)
  const valueReceiver = pseudoReceiver(receiver, `value(${receiver.name})`, type.value)
  const keys: CompiledTerm[] = []
  const items: CompiledTerm[] = []
  for (const { key, value } of term.entries) {
    check(testAssignment(key, type.key, context), () => `Invalid map literal for ${receiver.name}: key ${termText(key)} is not of type ${typeName(type.key)}`)
    check(testAssignment(value, type.value, context), () => `Invalid map literal for ${receiver.name}: value ${termText(value)} is not of type ${typeName(type.value)}`)
    keys.push(compile(key, keyReceiver, context))
    items.push(compile(value, valueReceiver, context))
  }
  return composite(receiver, [...keys, ...items], (values) => packMap(elementValues(keys, values), elementValues(items, values), type.key))
}

function compileUserType(term: UserTypeNode<Term>, receiver: ColumnSpecification, context: TermContext, compile: CompilePart): CompiledComposite {
  const type = receiver.type
  if (type.kind !== "udt") refuse("user type", receiver)
  for (const { name } of term.fields) {
    if (!type.fields.some((field) => field.name === name)) {
      throw new InvalidRequestError(`Unknown field '${name}' in value of user defined type ${type.name}`)
    }
  }
  const parts = type.fields.map((field) => {
    const given = term.fields.findLast(({ name }) => name === field.name)
    if (given === undefined) return null
    check(testAssignment(given.value, field.type, context), () => `Invalid user type literal for ${receiver.name}: field ${field.name} is not of type ${typeName(field.type)}`)
    return compile(given.value, pseudoReceiver(receiver, `${receiver.name}.${field.name}`, field.type), context)
  })
  const given = parts.filter((part) => part !== null)
  return composite(receiver, given, (values) => {
    const fields = parts.map((part) => {
      const value = part === null ? null : part.value(values)
      // A field that the client leaves unset is null.
      return value === UNSET ? null : value
    })
    return packTuple(fields)
  })
}

function compileTuple(term: TupleNode<Term>, receiver: ColumnSpecification, context: TermContext, compile: CompilePart): CompiledComposite {
  const type = receiver.type
  if (type.kind !== "tuple") refuse("tuple type", receiver)
  if (term.elements.length > type.elements.length) {
    throw new InvalidRequestError(
      `Invalid tuple literal for ${receiver.name}: too many elements. Type ${typeName(type)} expects ${type.elements.length} but got ${term.elements.length}`,
    )
  }
  const parts = term.elements.map((element, index) => {
    const elementType = type.elements[index] as CqlType
    check(testAssignment(element, elementType, context), () => `Invalid tuple literal for ${receiver.name}: component ${index} is not of type ${typeName(elementType)}`)
    return compile(element, pseudoReceiver(receiver, `${receiver.name}[${index}]`, elementType), context)
  })
  return composite(receiver, parts, (values) => {
    const fields = parts.map((part, index) => {
      const value = part.value(values)
      if (value === UNSET) throw new InvalidRequestError(`Invalid unset value for tuple field number ${index}`)
      return value
    })
    return packTuple(fields)
  })
}
