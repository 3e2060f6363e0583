// CREATE and DROP AGGREGATE: a state function that is called for every row, and perhaps a final one.
import type { AggregateDescriptor, FunctionDescriptor, KeyspaceDescriptor, Schema } from "../../data/schema.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import { ConfigurationError, InvalidRequestError } from "../errors.ts"
import type { FunctionContext } from "../functions/context.ts"
import { findFunction, isNullOrEmpty } from "../functions/user-functions.ts"
import type { CreateAggregateStatement, DropAggregateStatement } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { BindVariables, NO_VALUES } from "../statements/bind-variables.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { findKeyspace, keyspaceOf, typeScope, unchanged, withKeyspace } from "./edit.ts"
import { findDropped, functionChange, refuseFrozen, refuseSystem, sorted } from "./functions.ts"
import { resolveType, typeNodeText } from "./types.ts"
import { UNSET } from "../statements/term.ts"
import { testType } from "../statements/value-compatibility.ts"

type Transform = SchemaPlan["transform"]

export function createAggregate(statement: CreateAggregateStatement, session: string | null, functions: FunctionContext): Transform {
  const keyspaceName = keyspaceOf(statement.aggregate, session)
  const { name } = statement.aggregate
  return (schema, descriptor) => {
    refuseSystem(schema, descriptor, keyspaceName)
    if (statement.ifNotExists && statement.orReplace) throw new InvalidRequestError("Cannot use both 'OR REPLACE' and 'IF NOT EXISTS' directives")
    const keyspace = findKeyspace(descriptor, keyspaceName)
    if (keyspace === null) throw new ConfigurationError(`Keyspace ${keyspaceName} doesn't exist`)
    for (const type of statement.argumentTypes) refuseFrozen(type, "Argument")
    refuseFrozen(statement.stateType, "State type")
    const created = described(statement, keyspace, keyspaceName, schema, functions)
    if (findFunction(keyspace.functions ?? [], name, created.argumentTypes) !== null) throw new InvalidRequestError(`Aggregate '${name}' cannot replace a function`)
    const existing = findFunction(keyspace.aggregates ?? [], name, created.argumentTypes)
    if (existing !== null) {
      if (statement.ifNotExists) return unchanged(descriptor)
      if (!statement.orReplace) throw new InvalidRequestError(`Aggregate '${name}' already exists`)
      if (testType(existing.returnType, created.returnType) === "none") {
        throw new InvalidRequestError(
          `Cannot replace aggregate '${name}', the new return type ${typeName(created.returnType)} isn't compatible with the return type ${typeName(existing.returnType)} of existing function`,
        )
      }
    }
    const others = (keyspace.aggregates ?? []).filter((each) => each !== existing)
    const next = { ...keyspace, aggregates: sorted([...others, created]) }
    return functionChange(withKeyspace(descriptor, next), existing === null ? "CREATED" : "UPDATED", "AGGREGATE", keyspaceName, name, statement.argumentTypes.map(typeNodeText))
  }
}

function described(statement: CreateAggregateStatement, keyspace: KeyspaceDescriptor, keyspaceName: string, schema: Schema, functions: FunctionContext): AggregateDescriptor {
  const scope = typeScope(keyspace)
  const argumentTypes = statement.argumentTypes.map((type) => resolveType(type, scope))
  const stateType = resolveType(statement.stateType, scope)
  const stateTypeText = typeNodeText(statement.stateType)
  const stateText = `${keyspaceName}.${statement.stateFunction}(${[stateTypeText, ...statement.argumentTypes.map(typeNodeText)].join(", ")})`
  const state = scalarOf(keyspace, statement.stateFunction, [stateType, ...argumentTypes], "State", stateText)
  if (typeName(state.returnType) !== typeName(stateType)) {
    throw new InvalidRequestError(`State function ${stateText} return type must be the same as the first argument type - check STYPE, argument and return types`)
  }
  const final = statement.finalFunction === null ? null
    : scalarOf(keyspace, statement.finalFunction, [stateType], "Final", `${keyspaceName}.${statement.finalFunction}(${stateTypeText})`)
  const initial = initialCondition(statement, stateType, keyspaceName, schema, functions)
  if (!state.calledOnNullInput && initial === null) {
    throw new InvalidRequestError(
      `Cannot create aggregate '${statement.aggregate.name}' without INITCOND because state function ${keyspaceName}.${statement.stateFunction} does not accept 'null' arguments`,
    )
  }
  return {
    name: statement.aggregate.name, argumentTypes, returnType: (final ?? state).returnType, stateFunction: statement.stateFunction, stateType,
    finalFunction: statement.finalFunction, initialCondition: initial?.toString("base64") ?? null,
  }
}

function scalarOf(keyspace: KeyspaceDescriptor, name: string, types: readonly CqlType[], what: string, text: string): FunctionDescriptor {
  const found = findFunction(keyspace.functions ?? [], name, types)
  if (found !== null) return found
  if (findFunction(keyspace.aggregates ?? [], name, types) !== null) throw new InvalidRequestError(`${what} function ${text} isn't a scalar function`)
  throw new InvalidRequestError(`${what} function ${text} doesn't exist`)
}

function initialCondition(statement: CreateAggregateStatement, type: CqlType, keyspace: string, schema: Schema, functions: FunctionContext): Buffer | null {
  const term = statement.initialCondition
  if (term === null) return null
  const receiver = { keyspace, table: "--dummy--", name: "(dummy)", type }
  const value = compileTerm(term, receiver, { schema, keyspace, variables: new BindVariables(), functions, table: null }).value(NO_VALUES)
  if (value === UNSET || (value !== null && isNullOrEmpty(type, value))) throw new InvalidRequestError("INITCOND must not be empty for all types except TEXT, ASCII, BLOB")
  return value
}

export function dropAggregate(statement: DropAggregateStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.aggregate, session)
  return (schema, descriptor) => {
    refuseSystem(schema, descriptor, keyspaceName)
    const found = findDropped("AGGREGATE", { ...statement, name: statement.aggregate.name }, findKeyspace(descriptor, keyspaceName), keyspaceName, (keyspace) => keyspace.aggregates ?? [])
    if (found === null) return unchanged(descriptor)
    const { keyspace, dropped } = found
    const next = { ...keyspace, aggregates: (keyspace.aggregates ?? []).filter((each) => each !== dropped) }
    return functionChange(withKeyspace(descriptor, next), "DROPPED", "AGGREGATE", keyspaceName, dropped.name, dropped.argumentTypes.map(typeName))
  }
}
