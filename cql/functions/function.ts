// What a CQL function is: native ones are of the keyspace `system`, the others of the user's (user-functions.ts).
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { FunctionContext } from "./context.ts"

export interface FunctionName {
  /** Null: not qualified. */
  readonly keyspace: string | null
  /** As written, lower case unless quoted. */
  readonly name: string
}

/** A function of one row's values, chosen for its argument types. */
export interface ScalarFunction {
  readonly kind: "scalar"
  /** Absent: `system`. */
  readonly keyspace?: string
  readonly name: string
  readonly argumentTypes: readonly CqlType[]
  readonly returnType: CqlType
  /** Equal arguments give equal results: false for now(), uuid() and their like. */
  readonly deterministic: boolean
  /** Arguments are serialised values or null; so is the result. Throws InvalidRequestError. Keeps no reference to the arguments, but may return one. */
  execute(args: readonly (Uint8Array | null)[], context: FunctionContext): Uint8Array | null
}

/** The running state of one aggregate over one group of rows. */
export interface AggregateState {
  /** Called once a row. The arguments are valid during the call only. */
  add(args: readonly (Uint8Array | null)[]): void
  /** The value over all rows added. */
  compute(): Uint8Array | null
  /** Back to no rows. */
  reset(): void
}

export interface AggregateFunction {
  readonly kind: "aggregate"
  /** Absent: `system`. */
  readonly keyspace?: string
  readonly name: string
  readonly argumentTypes: readonly CqlType[]
  readonly returnType: CqlType
  newState(): AggregateState
}

export type CqlFunction = ScalarFunction | AggregateFunction

/** What is known of an argument before the function is chosen. */
export interface FunctionArgument {
  /** Can the argument be passed for a parameter of this type? `weak`: yes, but another type may fit better (literals, bind variables). */
  test(type: CqlType): "exact" | "weak" | "none"
  /** As messages print it. */
  readonly text: string
  /** The argument's own type, when it has one: columns, casts, other functions. */
  readonly type: CqlType | null
}

/** What a function may depend on beside its arguments. */
export interface FunctionSite {
  /** The table of the statement: token() takes its partition key. */
  readonly table: TableSchema | null
  /** The type of the place that gets the result; null in a selection. */
  readonly receiver: CqlType | null
  /** The user's functions of a name; unqualified names are looked up in the keyspace of the statement. Absent: there are none. */
  readonly userFunctions?: (name: FunctionName) => readonly CqlFunction[]
}

/** One function of a name, or a family of them: returns the member for these arguments, null when there is none. */
export type Overload = CqlFunction | ((args: readonly FunctionArgument[], site: FunctionSite) => CqlFunction | null)

/** As messages and result columns name it. */
export function qualifiedName(found: CqlFunction): string {
  return `${found.keyspace ?? "system"}.${found.name}`
}

export function native(name: NativeTypeName): CqlType {
  return { kind: "native", name }
}

type Execute = ScalarFunction["execute"]

/** A scalar function of native types that is null as soon as one argument is null or empty. */
export function scalar(name: string, argumentTypes: readonly CqlType[], returnType: CqlType, body: (args: readonly Buffer[], context: FunctionContext) => Uint8Array | null): ScalarFunction {
  const execute: Execute = (args, context) => {
    for (const arg of args) if (arg === null || arg.length === 0) return null
    return body(args.map((arg) => asBuffer(arg as Uint8Array)), context)
  }
  return { kind: "scalar", name, argumentTypes, returnType, deterministic: true, execute }
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
