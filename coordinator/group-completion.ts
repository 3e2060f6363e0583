import type { RequestError } from "../cql/errors.ts"
import type { Completion } from "./coordinator.ts"

/** Completes once all of several parts have, with the first error if there was one. */
export class GroupCompletion implements Completion {
  #left: number
  #error: RequestError | null = null
  readonly #whole: Completion

  constructor(parts: number, whole: Completion) {
    this.#left = parts
    this.#whole = whole
  }

  done(error: RequestError | null): void {
    this.#error ??= error
    if (--this.#left === 0) this.#whole.done(this.#error)
  }
}
