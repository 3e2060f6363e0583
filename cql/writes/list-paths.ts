// Where the elements of a list are: each cell's path is a timeuuid, and the list is in the order of their times. Appended
// elements get times that rise, from now; prepended ones times that fall, mirrored at a date before all appends.
import { Buffer } from "../../runtime/pure.ts"
import type { FunctionContext } from "../functions/context.ts"
import { writeTimeUuidTime } from "../functions/time-functions.ts"

const STEPS_PER_MS = 10_000
/** 2010-01-01. Times of prepended elements are as long before it as now is after it. */
const MIRROR_MS = 1_262_304_000_000

export class ListPaths {
  readonly #context: FunctionContext
  /** The last time given, in milliseconds since 1970 and steps of 100 ns; no time is given twice. */
  #lastMs = 0
  #lastStep = 0

  constructor(context: FunctionContext) {
    this.#context = context
  }

  /** Later than all before. */
  append(): Buffer {
    this.#advance()
    return this.#path(this.#lastMs, this.#lastStep)
  }

  /** Earlier than all before. */
  prepend(): Buffer {
    this.#advance()
    return this.#path(2 * MIRROR_MS - this.#lastMs - 1, STEPS_PER_MS - 1 - this.#lastStep)
  }

  #advance(): void {
    const micros = this.#context.nowMicros()
    const ms = Math.floor(micros / 1000)
    const step = (micros % 1000) * 10
    if (ms > this.#lastMs || (ms === this.#lastMs && step > this.#lastStep)) {
      this.#lastMs = ms
      this.#lastStep = step
    } else if (this.#lastStep < STEPS_PER_MS - 1) this.#lastStep++
    else {
      this.#lastMs++
      this.#lastStep = 0
    }
  }

  #path(ms: number, step: number): Buffer {
    const path = Buffer.allocUnsafe(16)
    writeTimeUuidTime(path, 0, ms, step)
    // The rest tells nodes apart that write in the same instant.
    this.#context.randomBytes(8).copy(path, 8)
    path[8] = ((path[8] as number) & 0x3f) | 0x80
    path[10] = (path[10] as number) | 0x01
    return path
  }
}

const known = new WeakMap<FunctionContext, ListPaths>()

/** The paths of this context: one series for all statements that share it, so that later statements' elements come later. */
export function listPathsOf(context: FunctionContext): ListPaths {
  let paths = known.get(context)
  if (paths === undefined) {
    paths = new ListPaths(context)
    known.set(context, paths)
  }
  return paths
}
