// Jobs in line: a body runs on the simulator's one thread, after a delay, so that requests happen between its start and its end;
// its result comes after another delay. Disk operations inside a body take no time of their own, except those with callbacks.
// Specs and results are cloned as for a worker thread: a job cannot reach what it was not given.
import type { Clock } from "../clock.ts"
import type { Disk } from "../disk.ts"
import type { JobBody, JobKind, JobResults, JobSpecs, Jobs } from "../jobs.ts"
import { assert } from "../pure.ts"
import type { Random } from "../random.ts"

export type JobBodies = { readonly [K in JobKind]?: JobBody<K> }

export interface SimulatedJobsOptions {
  readonly bodies: JobBodies
  readonly clock: Clock
  readonly disk: Disk
  /** Delays are drawn from it; without it they are the least ones. */
  readonly random?: Random
  /** Least and greatest time before a job starts, and again before its result is delivered; 0.1 to 20 unless told. */
  readonly delayMs?: readonly [number, number]
}

export class SimulatedJobs implements Jobs {
  readonly #options: SimulatedJobsOptions
  readonly #running = new Set<{ readonly controller: AbortController; readonly ended: Promise<unknown> }>()
  #isStopped = false

  constructor(options: SimulatedJobsOptions) {
    this.#options = options
  }

  async run<K extends JobKind>(kind: K, spec: JobSpecs[K], signal: AbortSignal): Promise<JobResults[K]> {
    const body: JobBody<K> | undefined = this.#options.bodies[kind]
    assert(body !== undefined, `a body for jobs of kind ${String(kind)}`)
    signal.throwIfAborted()
    if (this.#isStopped) throw stopped()
    const controller = new AbortController()
    const onAbort = (): void => controller.abort(signal.reason)
    signal.addEventListener("abort", onAbort)
    const result = this.#runBody(body, structuredClone(spec), controller.signal)
    const job = { controller, ended: result.catch(() => {}) }
    this.#running.add(job)
    try {
      return await result
    } finally {
      this.#running.delete(job)
      signal.removeEventListener("abort", onAbort)
    }
  }

  /** Aborts what runs and waits for it. */
  async stop(): Promise<void> {
    this.#isStopped = true
    const running = [...this.#running]
    for (const job of running) job.controller.abort(stopped())
    await Promise.all(running.map((job) => job.ended))
  }

  async #runBody<K extends JobKind>(body: JobBody<K>, spec: JobSpecs[K], signal: AbortSignal): Promise<JobResults[K]> {
    await this.#pause()
    signal.throwIfAborted()
    const result = structuredClone(await body(spec, this.#options.disk, signal, this.#options.clock))
    await this.#pause()
    return result
  }

  #pause(): Promise<void> {
    const [least, greatest] = this.#options.delayMs ?? [0.1, 20]
    const share = this.#options.random?.float() ?? 0
    return this.#options.clock.sleep(least + share * (greatest - least))
  }
}

function stopped(): Error {
  return new DOMException("jobs have been stopped", "AbortError")
}
