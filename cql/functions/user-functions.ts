// User-defined functions and aggregates as the rest of the language calls them. A body is loaded when it is called for the
// first time; what it throws becomes a FunctionFailure with the function's name and types.
import type { CqlType } from "../../data/cql-type.ts"
import type { AggregateDescriptor, FunctionDescriptor, KeyspaceSchema } from "../../data/schema.ts"
import { typeName } from "../../data/types/type-name.ts"
import { Buffer, assert } from "../../runtime/pure.ts"
import { FunctionFailureError, InvalidRequestError } from "../errors.ts"
import { type Script, ScriptError, type ScriptHost } from "../scripts/script-host.ts"
import type { FunctionContext } from "./context.ts"
import type { AggregateFunction, AggregateState, CqlFunction, ScalarFunction } from "./function.ts"

export const DISABLED = "User-defined functions are disabled in cassandra.yaml - set user_defined_functions_enabled=true to enable"

/** The functions and aggregates of this name. */
export function userFunctionsOf(keyspace: KeyspaceSchema | null, name: string, context: FunctionContext): readonly CqlFunction[] {
  if (keyspace === null) return []
  return [
    ...keyspace.functions.filter((each) => each.name === name).map((each) => scalarFunction(keyspace.name, each)),
    ...keyspace.aggregates.filter((each) => each.name === name).map((each) => aggregateFunction(keyspace, each, context)),
  ]
}

/** By name and types of the arguments; frozen or not makes no difference. */
export function findFunction<T extends FunctionDescriptor | AggregateDescriptor>(functions: readonly T[], name: string, types: readonly CqlType[]): T | null {
  const wanted = signatureOf(types)
  return functions.find((each) => each.name === name && signatureOf(each.argumentTypes) === wanted) ?? null
}

/** Types of arguments as text, which tells the functions of a name apart. */
export function signatureOf(types: readonly CqlType[]): string {
  return types.map(typeName).join(", ")
}

function scalarFunction(keyspace: string, descriptor: FunctionDescriptor): ScalarFunction {
  const { name, argumentTypes, returnType, calledOnNullInput } = descriptor
  let script: Script | null = null
  const execute: ScalarFunction["execute"] = (args, context) => {
    if (!calledOnNullInput && args.some((value, index) => isNullOrEmpty(argumentTypes[index] as CqlType, value))) return null
    try {
      script ??= loaded(context.scripts, descriptor)
      return script(args)
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error
      throw failure(keyspace, descriptor, error)
    }
  }
  return { kind: "scalar", keyspace, name, argumentTypes, returnType, deterministic: true, execute }
}

function loaded(scripts: ScriptHost | undefined, { argumentNames, argumentTypes, returnType, body }: FunctionDescriptor): Script {
  if (scripts === undefined) throw new InvalidRequestError(DISABLED)
  return scripts.compile({ argumentNames, argumentTypes, returnType, body })
}

function failure(keyspace: string, { name, argumentTypes, returnType }: FunctionDescriptor, { message }: ScriptError): FunctionFailureError {
  // Cassandra says what the body threw and nothing else, but names the function that took too long.
  const text = message.startsWith("ran longer") ? `User defined function ${keyspace}.${name} : (${signatureOf(argumentTypes)}) -> ${typeName(returnType)} ${message}` : message
  return new FunctionFailureError(keyspace, name, argumentTypes.map(typeName), text)
}

/** Types whose empty values are values. */
const EMPTY_VALUES: ReadonlySet<string> = new Set(["ascii", "blob", "text"])

export function isNullOrEmpty(type: CqlType, value: Uint8Array | null): boolean {
  return value === null || (value.length === 0 && !(type.kind === "native" && EMPTY_VALUES.has(type.name)))
}

function aggregateFunction(keyspace: KeyspaceSchema, descriptor: AggregateDescriptor, context: FunctionContext): AggregateFunction {
  const { name, argumentTypes, returnType, stateType, stateFunction, finalFunction, initialCondition } = descriptor
  const scalarOf = (called: string, types: readonly CqlType[]): ScalarFunction => {
    const found = findFunction(keyspace.functions, called, types)
    assert(found !== null, `aggregate ${keyspace.name}.${name} has its function ${called}`)
    return scalarFunction(keyspace.name, found)
  }
  const next = scalarOf(stateFunction, [stateType, ...argumentTypes])
  const called = findFunction(keyspace.functions, stateFunction, [stateType, ...argumentTypes])?.calledOnNullInput === true
  const final = finalFunction === null ? null : scalarOf(finalFunction, [stateType])
  const initial = initialCondition === null ? null : Buffer.from(initialCondition, "base64")
  const types = [stateType, ...argumentTypes]
  const skips = (args: readonly (Uint8Array | null)[]): boolean => !called && args.some((value, index) => isNullOrEmpty(types[index] as CqlType, value))
  const newState = (): AggregateState => {
    let state: Uint8Array | null = initial
    return {
      add(args) {
        const all = [state, ...args]
        // A state function that takes no null leaves the state as it is.
        if (!skips(all)) state = next.execute(all, context)
      },
      compute: () => (final === null ? state : final.execute([state], context)),
      reset() {
        state = initial
      },
    }
  }
  return { kind: "aggregate", keyspace: keyspace.name, name, argumentTypes, returnType, newState }
}
