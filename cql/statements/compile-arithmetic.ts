// Arithmetic and CAST in terms. An operand with a type of its own (a function, a cast, a type hint) keeps it; constants
// and bind markers take the type of whatever receives the result, so that `SET price = ? * 2` is exact.
import type { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import { negate } from "../functions/arithmetic.ts"
import { castFunction } from "../functions/cast.ts"
import { numericName } from "../functions/numbers.ts"
import { type Operation, findOperation } from "../functions/operations.ts"
import type { ArithmeticNode, CastNode, NegationNode, Term } from "../language/ast-terms.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import { NO_VALUES } from "./bind-variables.ts"
import type { CompilePart } from "./compile-collection.ts"
import { inferType, resolveTypeNode, testAssignment } from "./test-assignment.ts"
import { termText } from "./term-text.ts"
import { type CompiledTerm, type TermContext, type TermValue, UNSET, pseudoReceiver } from "./term.ts"
import { testType } from "./value-compatibility.ts"

export function compileArithmetic(term: ArithmeticNode<Term> | NegationNode<Term>, receiver: ColumnSpecification, context: TermContext, compile: CompilePart): CompiledTerm {
  const operands = (term.kind === "negation" ? [term.operand] : [term.left, term.right]).map(withoutParentheses)
  const types = operands.map((operand) => operandType(operand, receiver.type, context))
  const operation = term.kind === "negation" ? negation(types[0] as CqlType) : findOperation(term.operator, types[0] as CqlType, types[1] as CqlType)
  if (operation === null) {
    throw new InvalidRequestError(
      term.kind === "negation" ? `the '-' operation is not supported on ${termText(term.operand)}`
        : `the '${term.operator}' operation is not supported between ${termText(term.left)} and ${termText(term.right)}`,
    )
  }
  const { type } = operation
  if (testType(type, receiver.type) === "none") {
    throw new InvalidRequestError(
      term.kind === "negation" ? `Type error: cannot assign result of function system._negate (type ${typeName(type)}) to ${receiver.name} (type ${typeName(receiver.type)})`
        : `the '${term.operator}' operation is not supported between ${termText(term.left)} and ${termText(term.right)}`,
    )
  }
  const parts = operands.map((operand, index) => compile(operand, pseudoReceiver(receiver, `arg${index}(${term.kind === "negation" ? "-" : term.operator})`, types[index] as CqlType), context))
  return computed(receiver, parts, ([left, right]) => operation.calculate(left as Buffer, right as Buffer))
}

function negation(type: CqlType): Operation | null {
  const number = numericName(type)
  return number === null ? null : { type, calculate: (value) => negate(value, number) }
}

/** In arithmetic `(a)` is a. */
function withoutParentheses(term: Term): Term {
  const only = term.kind === "tuple" && term.elements.length === 1 ? term.elements[0] : undefined
  return only === undefined ? term : withoutParentheses(only)
}

function operandType(term: Term, wanted: CqlType, context: TermContext): CqlType {
  switch (term.kind) {
    case "constant":
      return testAssignment(term, wanted, context) === "none" ? (inferType(term, context) ?? wanted) : wanted
    case "arithmetic": {
      const [left, right] = [term.left, term.right].map((operand) => operandType(withoutParentheses(operand), wanted, context)) as [CqlType, CqlType]
      return findOperation(term.operator, left, right)?.type ?? wanted
    }
    case "negation":
      return operandType(withoutParentheses(term.operand), wanted, context)
    default:
      return inferType(term, context) ?? wanted
  }
}

/** CAST(operand AS type). */
export function compileCast(term: CastNode<Term>, receiver: ColumnSpecification, context: TermContext, compile: CompilePart): CompiledTerm {
  const type = resolveTypeNode(term.type, context)
  const from = inferType(term.operand, context)
  if (from === null) throw new InvalidRequestError(`Ambiguous call to function cast: the type of ${termText(term.operand)} is not known, use a type hint`)
  const cast = castFunction(from, type, termText(term.operand))
  if (testType(type, receiver.type) === "none") {
    throw new InvalidRequestError(`Type error: cannot assign result of function ${cast.name} (type ${typeName(type)}) to ${receiver.name} (type ${typeName(receiver.type)})`)
  }
  const operand = compile(term.operand, pseudoReceiver(receiver, `arg0(${cast.name})`, from), context)
  return computed(receiver, [operand], (values) => cast.execute(values, context.functions) as Buffer | null)
}

/** Null when a part is null or empty. Worked out at once when all parts are constants. */
function computed(receiver: ColumnSpecification, parts: readonly CompiledTerm[], compute: (values: readonly Buffer[]) => Buffer | null): CompiledTerm {
  const value = (values: BoundValues): TermValue => {
    const operands: Buffer[] = []
    for (const part of parts) {
      const operand = part.value(values)
      if (operand === UNSET) throw new InvalidRequestError(`Invalid unset value for argument in call to function ${part.receiver.name}`)
      if (operand === null || operand.length === 0) return null
      operands.push(operand)
    }
    return compute(operands)
  }
  if (!parts.every((part) => part.constant !== undefined)) return { receiver, marker: -1, constant: undefined, value }
  const constant = value(NO_VALUES) as Buffer | null
  return { receiver, marker: -1, constant, value: () => constant }
}
