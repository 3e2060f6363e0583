import type { ScriptHost } from "../scripts/script-host.ts"

/** What functions need of the outside world: given by whoever compiles statements, so that a run can be repeated from its seed. */
export interface FunctionContext {
  /** Microseconds since 1970. */
  nowMicros(): number
  randomBytes(count: number): Buffer
  /** Runs the bodies of user-defined functions. Absent: they are disabled. */
  readonly scripts?: ScriptHost
}
