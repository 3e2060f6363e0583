// Compiles a term for the column (or pseudo-column) that receives it. What is known at compile time is encoded once;
// bind markers are views of the frame; everything else is put together when values are bound.
import { type Buffer, assert } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import { operationsOf } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import { qualifiedName } from "../functions/function.ts"
import { resolveFunction } from "../functions/registry.ts"
import type { BindMarker, Constant, FunctionNode, Term } from "../language/ast-terms.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import { compileArithmetic, compileCast } from "./compile-arithmetic.ts"
import { compileCollection } from "./compile-collection.ts"
import { encodeConstant, testConstant } from "./literals.ts"
import { NO_VALUES } from "./bind-variables.ts"
import { functionArguments, functionSite, resolveTypeNode, testAssignment } from "./test-assignment.ts"
import { termText } from "./term-text.ts"
import { type CompiledTerm, type TermContext, type TermValue, UNSET, pseudoReceiver } from "./term.ts"

/** Throws InvalidRequestError when the term cannot be a value of the receiver's type. */
export function compileTerm(term: Term, receiver: ColumnSpecification, context: TermContext): CompiledTerm {
  switch (term.kind) {
    case "constant":
      return constantTerm(receiver, compileConstant(term, receiver, context))
    case "null":
      return constantTerm(receiver, null)
    case "marker":
      return compileMarker(term, receiver, context)
    case "list":
    case "set":
    case "map":
    case "udt":
    case "tuple":
      return foldConstant(compileCollection(term, receiver, context, compileTerm))
    case "function":
      return compileFunction(term, receiver, context)
    case "typeHint": {
      const type = resolveTypeNode(term.type, context)
      if (testAssignment(term.operand, type, context) === "none") throw new InvalidRequestError(`Cannot cast value ${termText(term.operand)} to type ${typeName(type)}`)
      if (testAssignment(term, receiver.type, context) === "none") {
        throw new InvalidRequestError(`Cannot assign value ${termText(term)} to ${receiver.name} of type ${typeName(receiver.type)}`)
      }
      return compileTerm(term.operand, receiver, context)
    }
    case "cast":
      return compileCast(term, receiver, context, compileTerm)
    case "arithmetic":
    case "negation":
      return compileArithmetic(term, receiver, context, compileTerm)
  }
}

export function constantTerm(receiver: ColumnSpecification, bytes: Buffer | null): CompiledTerm {
  return { receiver, marker: -1, constant: bytes, value: () => bytes }
}

function compileConstant(constant: Constant, receiver: ColumnSpecification, context: TermContext): Buffer {
  if (testConstant(constant, receiver.type) === "none") {
    throw new InvalidRequestError(`Invalid ${constant.type.toUpperCase()} constant (${constant.text}) for "${receiver.name}" of type ${typeName(receiver.type)}`)
  }
  return encodeConstant(constant, receiver.type, () => context.functions.nowMicros())
}

function compileMarker(marker: BindMarker, receiver: ColumnSpecification, context: TermContext): CompiledTerm {
  const index = context.variables.add(marker, receiver)
  const operations = operationsOf(receiver.type)
  const value = (values: BoundValues): TermValue => {
    const length = values.lengths[index]
    assert(length !== undefined, "a value is bound for each marker")
    if (length < 0) return length === -1 ? null : UNSET
    const from = values.offsets[index] as number
    const problem = operations.validate(values.buffer, from, from + length)
    if (problem !== null) throw new InvalidRequestError(problem)
    return values.buffer.subarray(from, from + length)
  }
  return { receiver, marker: index, constant: undefined, value }
}

/** A term whose parts are all constants is one itself. */
function foldConstant(compiled: { readonly term: CompiledTerm; readonly isConstant: boolean }): CompiledTerm {
  return compiled.isConstant ? constantTerm(compiled.term.receiver, compiled.term.value(NO_VALUES) as Buffer | null) : compiled.term
}

function compileFunction(term: FunctionNode<Term>, receiver: ColumnSpecification, context: TermContext): CompiledTerm {
  const found = resolveFunction(term.name, functionArguments(term, context), functionSite(context, receiver.type))
  const name = term.name.keyspace === null ? term.name.name : `${term.name.keyspace}.${term.name.name}`
  if (found === null) throw new InvalidRequestError(`Unknown function ${name} called`)
  if (found.kind === "aggregate") throw new InvalidRequestError("Aggregation function are not supported in the where clause")
  if (testAssignment(term, receiver.type, context) === "none") {
    throw new InvalidRequestError(
      `Type error: cannot assign result of function ${qualifiedName(found)} (type ${typeName(found.returnType)}) to ${receiver.name} (type ${typeName(receiver.type)})`,
    )
  }
  const parameters = term.arguments.map((argument, index) => {
    const type = found.argumentTypes[index] as CqlType
    return compileTerm(argument, pseudoReceiver(receiver, `arg${index}(${qualifiedName(found).toLowerCase()})`, type), context)
  })
  const value = (values: BoundValues): TermValue => {
    const args = parameters.map((parameter) => {
      const argument = parameter.value(values)
      if (argument === UNSET) throw new InvalidRequestError(`Invalid unset value for argument in call to function ${found.name}`)
      return argument
    })
    return found.execute(args, context.functions) as Buffer | null
  }
  return { receiver, marker: -1, constant: undefined, value }
}
