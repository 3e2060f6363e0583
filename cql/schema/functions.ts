// CREATE and DROP FUNCTION. Bodies are JavaScript; they are loaded once before the function is made, so that one that
// cannot be read is refused.
import type { AggregateDescriptor, FunctionDescriptor, KeyspaceDescriptor, Schema, SchemaDescriptor } from "../../data/schema.ts"
import { typeName } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { FunctionContext } from "../functions/context.ts"
import { DISABLED, findFunction, signatureOf } from "../functions/user-functions.ts"
import type { CreateFunctionStatement, DropFunctionStatement } from "../language/ast-schema.ts"
import type { TypeNode } from "../language/ast-terms.ts"
import type { SchemaOutcome, SchemaPlan } from "../plan.ts"
import { ScriptError } from "../scripts/script-host.ts"
import { findKeyspace, keyspaceOf, typeScope, unchanged, withKeyspace } from "./edit.ts"
import { resolveType, typeNodeText } from "./types.ts"
import { testType } from "../statements/value-compatibility.ts"

type Transform = SchemaPlan["transform"]
type UserFunction = FunctionDescriptor | AggregateDescriptor

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

export function createFunction(statement: CreateFunctionStatement, session: string | null, functions: FunctionContext): Transform {
  const keyspaceName = keyspaceOf(statement.function, session)
  const { name } = statement.function
  return (schema, descriptor) => {
    refuseSystem(schema, descriptor, keyspaceName)
    if (statement.ifNotExists && statement.orReplace) throw new InvalidRequestError("Cannot use both 'OR REPLACE' and 'IF NOT EXISTS' directives")
    if (functions.scripts === undefined) throw new InvalidRequestError(DISABLED)
    checkLanguage(statement.language)
    checkArguments(statement)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    if (keyspace === null) throw new InvalidRequestError(`Keyspace '${keyspaceName}' doesn't exist`)
    const created = described(statement, keyspace)
    const existing = findFunction(keyspace.functions ?? [], name, created.argumentTypes)
    if (findFunction(keyspace.aggregates ?? [], name, created.argumentTypes) !== null) throw new InvalidRequestError(`Function '${name}' cannot replace an aggregate`)
    if (existing !== null) {
      if (statement.ifNotExists) return unchanged(descriptor)
      checkReplacement(statement, created, existing)
    }
    try {
      functions.scripts.compile(created)
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error
      throw new InvalidRequestError(`JavaScript source compilation failed:\n${error.message}`)
    }
    const others = (keyspace.functions ?? []).filter((each) => each !== existing)
    const next: KeyspaceDescriptor = { ...keyspace, functions: sorted([...others, created]) }
    return functionChange(withKeyspace(descriptor, next), existing === null ? "CREATED" : "UPDATED", "FUNCTION", keyspaceName, name, statement.arguments.map(({ type }) => typeNodeText(type)))
  }
}

function checkLanguage(language: string): void {
  if (language.toLowerCase() === "javascript") return
  throw new InvalidRequestError(
    `Functions in ${language} are not available: write the body in JavaScript, as in CREATE FUNCTION f (a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE javascript AS 'return a + 1'`,
  )
}

function checkArguments(statement: CreateFunctionStatement): void {
  const names = statement.arguments.map((argument) => argument.name)
  if (new Set(names).size !== names.length) {
    throw new InvalidRequestError(`Duplicate argument names for given function ${statement.function.name} with argument names [${names.join(", ")}]`)
  }
  for (const { type } of statement.arguments) refuseFrozen(type, "Argument")
  refuseFrozen(statement.returnType, "Return type")
  const odd = names.find((name) => !IDENTIFIER.test(name))
  if (odd !== undefined) throw new InvalidRequestError(`The argument name "${odd}" is no name in JavaScript`)
}

export function refuseFrozen(type: TypeNode, what: string): void {
  if (type.kind !== "frozen" || type.type.kind === "tuple") return
  const text = typeNodeText(type)
  throw new InvalidRequestError(`${what} '${text}' cannot be frozen; remove frozen<> modifier from '${text}'`)
}

function described(statement: CreateFunctionStatement, keyspace: KeyspaceDescriptor): FunctionDescriptor {
  const scope = typeScope(keyspace)
  return {
    name: statement.function.name,
    argumentNames: statement.arguments.map((argument) => argument.name),
    argumentTypes: statement.arguments.map((argument) => resolveType(argument.type, scope)),
    returnType: resolveType(statement.returnType, scope),
    calledOnNullInput: statement.calledOnNullInput,
    language: "javascript",
    body: statement.body,
  }
}

function checkReplacement(statement: CreateFunctionStatement, created: FunctionDescriptor, existing: FunctionDescriptor): void {
  const { name } = created
  if (!statement.orReplace) throw new InvalidRequestError(`Function '${name}' already exists`)
  if (created.calledOnNullInput !== existing.calledOnNullInput) {
    throw new InvalidRequestError(`Function '${name}' must have ${created.calledOnNullInput ? "CALLED ON NULL INPUT" : "RETURNS NULL ON NULL INPUT"} directive`)
  }
  if (testType(existing.returnType, created.returnType) === "none") {
    throw new InvalidRequestError(
      `Cannot replace function '${name}', the new return type ${typeName(created.returnType)} is not compatible with the return type ${typeName(existing.returnType)} of existing function`,
    )
  }
}

export function dropFunction(statement: DropFunctionStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.function, session)
  return (schema, descriptor) => {
    refuseSystem(schema, descriptor, keyspaceName)
    const found = findDropped("FUNCTION", { ...statement, name: statement.function.name }, findKeyspace(descriptor, keyspaceName), keyspaceName, (keyspace) => keyspace.functions ?? [])
    if (found === null) return unchanged(descriptor)
    const { keyspace, dropped, written } = found
    const users = (keyspace.aggregates ?? []).filter((aggregate) => uses(aggregate, dropped)).map((aggregate) => `${keyspaceName}.${aggregate.name}`)
    if (users.length > 0) throw new InvalidRequestError(`Function '${written}' is still referenced by aggregates ${users.join(", ")}`)
    const next = { ...keyspace, functions: (keyspace.functions ?? []).filter((each) => each !== dropped) }
    return functionChange(withKeyspace(descriptor, next), "DROPPED", "FUNCTION", keyspaceName, dropped.name, dropped.argumentTypes.map(typeName))
  }
}

function uses(aggregate: AggregateDescriptor, dropped: FunctionDescriptor): boolean {
  const signature = signatureOf(dropped.argumentTypes)
  if (aggregate.stateFunction === dropped.name && signature === signatureOf([aggregate.stateType, ...aggregate.argumentTypes])) return true
  return aggregate.finalFunction === dropped.name && signature === signatureOf([aggregate.stateType])
}

interface Dropping {
  readonly name: string
  readonly ifExists: boolean
  readonly argumentTypes: readonly TypeNode[] | null
}

/** Null: there is none, and IF EXISTS was said. */
export function findDropped<T extends UserFunction>(
  kind: "FUNCTION" | "AGGREGATE", { name, ifExists, argumentTypes }: Dropping, keyspace: KeyspaceDescriptor | null, keyspaceName: string,
  all: (keyspace: KeyspaceDescriptor) => readonly T[],
): { readonly keyspace: KeyspaceDescriptor; readonly dropped: T; readonly written: string } | null {
  const written = `${keyspaceName}.${name}${argumentTypes === null ? "" : `(${argumentTypes.map(typeNodeText).join(", ")})`}`
  const dropped = keyspace === null ? null : onlyOne(kind, name, argumentTypes, keyspace, all(keyspace))
  if (keyspace !== null && dropped !== null) return { keyspace, dropped, written }
  if (ifExists) return null
  throw new InvalidRequestError(`${kind === "FUNCTION" ? "Function" : "Aggregate"} '${written}' doesn't exist`)
}

function onlyOne<T extends UserFunction>(kind: string, name: string, argumentTypes: readonly TypeNode[] | null, keyspace: KeyspaceDescriptor, all: readonly T[]): T | null {
  const ofName = [...(keyspace.functions ?? []), ...(keyspace.aggregates ?? [])].filter((each) => each.name === name)
  if (argumentTypes === null) {
    if (ofName.length > 1) {
      throw new InvalidRequestError(
        `'DROP ${kind} ${name}' matches multiple function definitions; specify the argument types by issuing a statement like 'DROP ${kind} ${name} (type, type, ...)'. ` +
          `You can use cqlsh 'DESCRIBE ${kind} ${name}' command to find all overloads`,
      )
    }
    return all.find((each) => each.name === name) ?? null
  }
  for (const type of argumentTypes) refuseFrozen(type, "Argument")
  return findFunction(all, name, argumentTypes.map((type) => resolveType(type, typeScope(keyspace))))
}

/** Functions are in no keyspace that a release brings along. */
export function refuseSystem(schema: Schema, descriptor: SchemaDescriptor, name: string): void {
  if (schema.keyspaces.has(name) && findKeyspace(descriptor, name) === null) throw new InvalidRequestError(`System keyspace '${name}' is not user-modifiable`)
}

export function functionChange(
  next: SchemaDescriptor, change: "CREATED" | "UPDATED" | "DROPPED", target: "FUNCTION" | "AGGREGATE", keyspace: string, name: string, argumentTypes: readonly string[],
): SchemaOutcome {
  return { next, event: { change, target, keyspace, name, argumentTypes }, warnings: [] }
}

/** In the order in which system_schema lists them. */
export function sorted<T extends UserFunction>(functions: readonly T[]): T[] {
  const key = (each: T): string => `${each.name}\0${each.argumentTypes.map(typeName).join("\0")}`
  return functions.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}
