// Compiles what stands in a SELECT clause to expressions: columns, functions, casts, parts of collections and user types,
// writetime and ttl. Columns get slots, aggregates and terms get places in the scope, in the order in which they come.
import { type Buffer, assert } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { typeName } from "../../data/types/type-name.ts"
import { packCollection, sortedElements } from "../../data/types/collections.ts"
import { packTuple } from "../../data/types/tuples.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import { COUNT_ROWS } from "../functions/aggregates.ts"
import { negate } from "../functions/arithmetic.ts"
import { castFunction } from "../functions/cast.ts"
import { type CqlFunction, type FunctionArgument, type ScalarFunction, asBuffer, qualifiedName } from "../functions/function.ts"
import { type NumericName, numericName } from "../functions/numbers.ts"
import { findOperation } from "../functions/operations.ts"
import { resolveFunction } from "../functions/registry.ts"
import type { FunctionNode, Selectable, Term } from "../language/ast-terms.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { elementExpression, fieldExpression, sliceExpression } from "./selectable-parts.ts"
import { cellAttributeExpression } from "./selectable-cells.ts"
import type { AggregateCall, Expression, Scope } from "./select-expression.ts"
import { columnNamed } from "./select-restriction.ts"
import { functionSite, inferType, resolveTypeNode, testAssignment } from "../statements/test-assignment.ts"
import { termText } from "../statements/term-text.ts"
import { type CompiledTerm, type TermContext, columnReceiver } from "../statements/term.ts"
import { testType } from "../statements/value-compatibility.ts"

export class SelectableCompiler {
  readonly fetched: ColumnSchema[] = []
  readonly aggregates: AggregateCall[] = []
  readonly terms: CompiledTerm[] = []
  needsCells = false
  readonly #table: TableSchema
  readonly #context: TermContext

  constructor(table: TableSchema, context: TermContext) {
    this.#table = table
    this.#context = context
  }

  slotOf(column: ColumnSchema): number {
    const slot = this.fetched.indexOf(column)
    return slot >= 0 ? slot : this.fetched.push(column) - 1
  }

  column(column: ColumnSchema): Expression {
    const slot = this.slotOf(column)
    return { type: column.type, name: column.name, evaluate: (scope) => scope.row.value(slot) }
  }

  /** Throws InvalidRequestError. */
  compile(node: Selectable): Expression {
    switch (node.kind) {
      case "column":
        return this.column(columnNamed(this.#table, node.name))
      case "countRows":
        return { ...this.#aggregate({ function: COUNT_ROWS, arguments: [] }), name: "count" }
      case "function":
        return this.#function(node)
      case "cast": {
        const operand = this.compile(node.operand)
        const type = resolveTypeNode(node.type, this.#context)
        return this.#call(castFunction(operand.type, type, operand.name), [operand], `cast(${operand.name} as ${typeName(type)})`)
      }
      case "cellAttribute":
        this.needsCells = true
        return cellAttributeExpression(this.#table, node, this)
      case "field":
        return fieldExpression(this.compile(node.operand), node.field)
      case "element": {
        const operand = this.compile(node.operand)
        return elementExpression(operand, (type) => this.term(node.key, type, `key(${operand.name})`), termText(node.key))
      }
      case "slice": {
        const operand = this.compile(node.operand)
        const bound = (term: Term | null) => (type: CqlType): number | null => (term === null ? null : this.term(term, type, `slice(${operand.name})`))
        return sliceExpression(operand, bound(node.from), bound(node.to), `${node.from === null ? "" : termText(node.from)}..${node.to === null ? "" : termText(node.to)}`)
      }
      case "arithmetic":
        return this.#arithmetic(node)
      case "negation": {
        const operand = isTerm(node.operand) ? this.#termOperand(node.operand, null) : this.compile(node.operand)
        const type = this.#numeric(operand, "-")
        return { type: operand.type, name: `-${operand.name}`, evaluate: (scope) => ifPresent(operand.evaluate(scope), (value) => negate(value, type)) }
      }
      case "typeHint":
        return this.#typeHint(node.operand, resolveTypeNode(node.type, this.#context))
      case "tuple": {
        const only = node.elements.length === 1 ? node.elements[0] : undefined
        if (only !== undefined) {
          const inner = isTerm(only) ? this.#termOperand(only, null) : this.compile(only)
          return { ...inner, name: `(${inner.name})` }
        }
        return this.#tuple(node)
      }
      case "list":
      case "set":
        return this.#elements(node)
      default:
        throw this.#untyped(node)
    }
  }

  /** Compiles a term for a type; returns its index in the scope's terms. */
  term(term: Term, type: CqlType, name: string): number {
    return this.terms.push(compileTerm(term, columnReceiver(this.#table, { name, type }), this.#context)) - 1
  }

  #termExpression(term: Term, type: CqlType, receiver: string): Expression {
    const index = this.term(term, type, receiver)
    return { type, name: termText(term), evaluate: (scope) => scope.terms[index] ?? null }
  }

  #typeHint(hinted: Selectable, type: CqlType): Expression {
    const operand = withFields(hinted)
    if (isTerm(operand)) {
      const expression = this.#termExpression(operand, type, "[selection]")
      return { ...expression, name: `(${typeName(type)})${expression.name}` }
    }
    const expression = this.compile(operand)
    if (testType(expression.type, type) === "none") {
      throw new InvalidRequestError(`Cannot assign value ${expression.name} to (${typeName(type)})${expression.name} of type ${typeName(type)}`)
    }
    return { ...expression, type, name: `(${typeName(type)})${expression.name}` }
  }

  /** `[a, b]` and `{a, b}`: of the type of the first element that has one. */
  #elements(node: Extract<Selectable, { kind: "list" | "set" }>): Expression {
    const compiled = node.elements.map((element) => (isTerm(element) ? null : this.compile(element)))
    const type = compiled.find((expression) => expression !== null)?.type
    if (type === undefined) throw this.#untyped(node)
    const parts = compiled.map((expression, index) => expression ?? this.#termExpression(node.elements[index] as Term, type, "[selection]"))
    const odd = parts.find((part) => testType(part.type, type) === "none")
    if (odd !== undefined) throw new InvalidRequestError(`Invalid ${node.kind} literal: ${odd.name} is not of type ${typeName(type)}`)
    const names = parts.map((part) => part.name).join(", ")
    return {
      type: { kind: node.kind, element: type, frozen: false },
      name: node.kind === "list" ? `[${names}]` : `{${names}}`,
      evaluate: (scope) => {
        const values = parts.map((part) => part.evaluate(scope)).filter((value) => value !== null).map(asBuffer)
        const stored = node.kind === "set" ? sortedElements(values, compareValues(type)) : values
        return packCollection(stored.length, stored)
      },
    }
  }

  /** `(a, b)`: each element needs a type of its own. */
  #tuple(node: Extract<Selectable, { kind: "tuple" }>): Expression {
    if (node.elements.some(isTerm)) throw this.#untyped(node)
    const parts = node.elements.map((element) => this.compile(element))
    return {
      type: { kind: "tuple", elements: parts.map((part) => part.type) },
      name: `(${parts.map((part) => part.name).join(", ")})`,
      evaluate: (scope) => packTuple(parts.map((part) => part.evaluate(scope))),
    }
  }

  #untyped(node: Selectable): InvalidRequestError {
    const text = selectableText(node)
    return new InvalidRequestError(`Cannot infer type for term ${text} in selection clause (try using a cast to force a type)`)
  }

  /** A constant has its own type; null and a marker that of the other operand. */
  #termOperand(term: Term, other: Expression | null): Expression {
    const only = term.kind === "tuple" && term.elements.length === 1 ? term.elements[0] : undefined
    if (only !== undefined) {
      const inner = this.#termOperand(only, other)
      return { ...inner, name: `(${inner.name})` }
    }
    const type = inferType(term, this.#context) ?? (term.kind === "null" || term.kind === "marker" ? (other?.type ?? null) : null)
    if (type === null) throw this.#untyped(term)
    return this.#termExpression(term, type, "[selection]")
  }

  #arithmetic(node: Extract<Selectable, { kind: "arithmetic" }>): Expression {
    const leftOperand = isTerm(node.left) ? null : this.compile(node.left)
    const rightOperand = isTerm(node.right) ? null : this.compile(node.right)
    const left = leftOperand ?? this.#termOperand(node.left as Term, rightOperand)
    const right = rightOperand ?? this.#termOperand(node.right as Term, left)
    const operation = findOperation(node.operator, left.type, right.type)
    if (operation === null) throw new InvalidRequestError(`the '${node.operator}' operation is not supported between ${left.name} and ${right.name}`)
    return {
      type: operation.type,
      name: `${left.name} ${node.operator} ${right.name}`,
      evaluate: (scope) => ifPresent(left.evaluate(scope), (a) => ifPresent(right.evaluate(scope), (b) => operation.calculate(a, b))),
    }
  }

  #numeric(operand: Expression, operator: string): NumericName {
    const type = numericName(operand.type)
    if (type === null) throw new InvalidRequestError(`the '${operator}' operation is not supported on ${operand.name}`)
    return type
  }

  #function(node: FunctionNode<Selectable>): Expression {
    const before = this.aggregates.length
    const given = node.arguments.map(withFields)
    const compiled = given.map((argument) => (isTerm(argument) ? null : this.compile(argument)))
    const args = given.map((argument, index) => this.#describe(argument, compiled[index] ?? null))
    const found = resolveFunction(node.name, args, functionSite(this.#context, null))
    const written = node.name.keyspace === null ? node.name.name : `${node.name.keyspace}.${node.name.name}`
    if (found === null) throw new InvalidRequestError(`Unknown function '${written}'`)
    if (found.kind === "aggregate" && this.aggregates.length > before) throw new InvalidRequestError("aggregate functions cannot be used as arguments of aggregate functions")
    const operands = compiled.map((expression, index): Expression => {
      const type = found.argumentTypes[index] as CqlType
      return expression ?? this.#termExpression(given[index] as Term, type, "[selection]")
    })
    return this.#call(found, operands, `${qualifiedName(found)}(${operands.map((operand) => operand.name).join(", ")})`)
  }

  #describe(argument: Selectable, compiled: Expression | null): FunctionArgument {
    if (compiled !== null) return { text: compiled.name, type: compiled.type, test: (type) => testType(compiled.type, type) }
    assert(isTerm(argument), "what is not compiled is a term")
    return { text: termText(argument), type: inferType(argument, this.#context), test: (type) => testAssignment(argument, type, this.#context) }
  }

  #call(found: CqlFunction, operands: readonly Expression[], name: string): Expression {
    if (found.kind === "aggregate") return { ...this.#aggregate({ function: found, arguments: operands }), name }
    return { type: found.returnType, name, evaluate: scalarEvaluator(found, operands, this.#context) }
  }

  #aggregate(call: AggregateCall): Expression {
    const index = this.aggregates.push(call) - 1
    return { type: call.function.returnType, name: call.function.name, evaluate: (scope) => scope.aggregates[index]?.compute() ?? null }
  }
}

/** As messages print it. */
function selectableText(node: Selectable): string {
  if (isTerm(node)) return termText(node)
  switch (node.kind) {
    case "column":
      return node.name
    case "list":
      return `[${node.elements.map(selectableText).join(", ")}]`
    case "set":
      return `{${node.elements.map(selectableText).join(", ")}}`
    case "tuple":
      return `(${node.elements.map(selectableText).join(", ")})`
    case "map":
      return `{${node.entries.map(({ key, value }) => `${selectableText(key)}: ${selectableText(value)}`).join(", ")}}`
    default:
      return node.kind
  }
}

/** Null and empty operands give null. */
function ifPresent(value: Uint8Array | null, body: (value: Buffer) => Uint8Array | null): Uint8Array | null {
  return value === null || value.length === 0 ? null : body(asBuffer(value))
}

function scalarEvaluator(found: ScalarFunction, operands: readonly Expression[], context: TermContext): (scope: Scope) => Uint8Array | null {
  return (scope) => found.execute(operands.map((operand) => operand.evaluate(scope)), context.functions)
}

/** `{a: 1}` reads as a map whose key is a column. Where a function takes it, or a type is named, it is a value of a user type. */
function withFields(node: Selectable): Selectable {
  if (node.kind !== "map" || node.entries.length === 0) return node
  const fields: { readonly name: string; readonly value: Term }[] = []
  for (const { key, value } of node.entries) {
    const inner = withFields(value)
    if (key.kind !== "column" || !isTerm(inner)) return node
    fields.push({ name: key.name, value: inner })
  }
  return { kind: "udt", fields }
}

/** No column anywhere in it: its value is known before the first row. */
export function isTerm(node: Selectable): node is Term {
  switch (node.kind) {
    case "constant":
    case "null":
    case "marker":
      return true
    case "list":
    case "set":
    case "tuple":
      return node.elements.every(isTerm)
    case "map":
      return node.entries.every(({ key, value }) => isTerm(key) && isTerm(value))
    case "udt":
      return node.fields.every(({ value }) => isTerm(value))
    case "typeHint":
    case "negation":
      return false
    default:
      return false
  }
}
