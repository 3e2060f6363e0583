// What runs the bodies of user-defined functions, as the rest of the language sees it.
import type { CqlType } from "../../data/cql-type.ts"

export interface ScriptDefinition {
  readonly argumentNames: readonly string[]
  readonly argumentTypes: readonly CqlType[]
  readonly returnType: CqlType
  /** JavaScript: the statements of a function. */
  readonly body: string
}

/** Arguments are serialised values or null. Throws ScriptError. */
export type Script = (args: readonly (Uint8Array | null)[]) => Buffer | null

export interface ScriptHost {
  /** Throws ScriptError when the body is not JavaScript. The same definition again costs a look-up. */
  compile(definition: ScriptDefinition): Script
}

export interface ScriptLimits {
  /** Of one call. */
  readonly failTimeoutMs: number
  /** Of the engine, all functions and the values they work on; 16 MiB at least. */
  readonly memoryBytes: number
}

/** A function takes microseconds; while it computes, its node answers nobody else. */
export const DEFAULT_SCRIPT_LIMITS: ScriptLimits = { failTimeoutMs: 200, memoryBytes: 64 * 1024 * 1024 }

/** A body that is no JavaScript, threw, took too long or too much, or returned what is no value of its type. */
export class ScriptError extends Error {
  override readonly name = "ScriptError"
}
