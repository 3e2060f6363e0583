// Jobs in worker threads. Kinds named as `background` have workers of their own, at a lower priority: a compaction that takes
// minutes must neither hold up a flush nor take the processor from requests.
//
// A kind of job is registered by the URL of a module that exports `run(spec, disk, signal)`; a worker imports it at the first job
// of the kind. Workers start when a job finds none idle, up to `workerCount`, and stay; each runs one job at a time, the rest wait
// in order. Specs and results are cloned, except that SharedArrayBuffers are shared.
//
// An abort is a request: the job's promise settles when its body does. A worker that dies (out of memory, uncaught error) fails its
// job and is replaced at the next one. Errors cross over by name and message; DiskError and AssertionError come back as such.
import { Worker } from "node:worker_threads"
import { DiskError } from "../disk.ts"
import type { JobKind, JobResults, JobSpecs, Jobs } from "../jobs.ts"
import { AssertionError, assert } from "../pure.ts"
import type { JobAnswer, JobFailure, JobOrder, JobWorkerData } from "./job-worker.ts"

/** How long `stop` waits for aborted jobs before it ends their threads. */
const STOP_GRACE_MS = 5000

/** Jobs leave little behind: with V8's default a worker holds 30 MiB more, for nothing that could be measured. */
const YOUNG_GENERATION_MIB = 12

interface Waiting {
  readonly kind: string
  readonly spec: unknown
  readonly signal: AbortSignal
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** The URL of module `path` (ending in .ts) relative to the module `from` (its import.meta.url), in sources and when built. */
export function moduleUrl(path: string, from: string): URL {
  return new URL(from.endsWith(".js") ? path.replace(/\.ts$/, ".js") : path, from)
}

export interface RealJobsOptions {
  /** By kind of job. */
  readonly modules: Readonly<Record<string, URL>>
  readonly workerCount: number
  /** Kinds that have workers of their own. */
  readonly background?: { readonly kinds: readonly string[]; readonly workerCount: number }
}

export class RealJobs implements Jobs {
  readonly #modules: Readonly<Record<string, URL>>
  readonly #foreground: JobPool
  readonly #background: JobPool | null
  readonly #backgroundKinds: ReadonlySet<string>
  #isStopped = false

  constructor(options: RealJobsOptions) {
    assert(options.workerCount >= 1, "at least one worker")
    this.#modules = options.modules
    this.#foreground = new JobPool(options.modules, options.workerCount, false)
    this.#background = options.background === undefined ? null : new JobPool(options.modules, options.background.workerCount, true)
    this.#backgroundKinds = new Set(options.background?.kinds)
  }

  run<K extends JobKind>(kind: K, spec: JobSpecs[K], signal: AbortSignal): Promise<JobResults[K]> {
    assert(this.#modules[kind] !== undefined, `a module for jobs of kind ${String(kind)}`)
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    if (this.#isStopped) return Promise.reject(stopped())
    const pool = this.#background !== null && this.#backgroundKinds.has(kind) ? this.#background : this.#foreground
    return pool.run(kind, spec, signal) as Promise<JobResults[K]>
  }

  /** For people: what each kind of workers does. */
  figures(): { readonly foreground: PoolFigures; readonly background: PoolFigures | null } {
    return { foreground: this.#foreground.figures, background: this.#background?.figures ?? null }
  }

  /** Drops what waits, aborts what runs, and ends the threads. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all([this.#foreground.stop(), this.#background?.stop()])
  }
}

export interface PoolFigures {
  readonly active: number
  /** As many may be active at once. */
  readonly limit: number
  readonly pending: number
  /** Since the start, also those that failed; not those whose thread died. */
  readonly completed: number
}

/** Workers that take jobs in order. */
class JobPool {
  readonly #modules: Readonly<Record<string, URL>>
  readonly #workerCount: number
  readonly #isBackground: boolean
  readonly #workers = new Set<JobThread>()
  #waiting: Waiting[] = []
  #onIdle: (() => void) | null = null
  #completed = 0

  constructor(modules: Readonly<Record<string, URL>>, workerCount: number, isBackground: boolean) {
    this.#modules = modules
    this.#workerCount = workerCount
    this.#isBackground = isBackground
  }

  run(kind: string, spec: unknown, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kind, spec, signal, resolve, reject })
      this.#dispatch()
    })
  }

  get figures(): PoolFigures {
    const active = [...this.#workers].filter(({ isBusy }) => isBusy).length
    return { active, limit: this.#workerCount, pending: this.#waiting.length, completed: this.#completed }
  }

  async stop(): Promise<void> {
    for (const job of this.#waiting.splice(0)) job.reject(stopped())
    for (const worker of this.#workers) worker.abort()
    if (this.#isBusy()) {
      await new Promise<void>((resolve) => {
        const grace = setTimeout(resolve, STOP_GRACE_MS)
        this.#onIdle = () => {
          clearTimeout(grace)
          resolve()
        }
      })
    }
    await Promise.all([...this.#workers].map((worker) => worker.terminate()))
  }

  #isBusy(): boolean {
    for (const worker of this.#workers) if (worker.isBusy) return true
    return false
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idleWorker()
      if (worker === null) return
      const job = this.#waiting.shift() as Waiting
      if (job.signal.aborted) job.reject(job.signal.reason)
      else worker.start(job, (this.#modules[job.kind] as URL).href)
    }
    if (this.#onIdle !== null && !this.#isBusy()) this.#onIdle()
  }

  #idleWorker(): JobThread | null {
    for (const worker of this.#workers) if (!worker.isBusy) return worker
    if (this.#workers.size >= this.#workerCount) return null
    const worker: JobThread = new JobThread(
      this.#isBackground,
      () => {
        this.#completed++
        this.#dispatch()
      },
      () => {
        this.#workers.delete(worker)
        this.#dispatch()
      },
    )
    this.#workers.add(worker)
    return worker
  }
}

/** One worker thread and the job it runs. */
class JobThread {
  readonly #worker: Worker
  readonly #onDone: () => void
  #job: Waiting | null = null
  #nextId = 1
  readonly #onAbort = (): void => this.abort()

  constructor(isBackground: boolean, onDone: () => void, onExit: () => void) {
    this.#onDone = onDone
    const worker = new Worker(moduleUrl("./job-worker.ts", import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB }, workerData: { isBackground } satisfies JobWorkerData,
    })
    this.#worker = worker
    let failure: Error | null = null
    worker.on("message", (answer: JobAnswer) => this.#finish(answer))
    worker.on("messageerror", (error: Error) => this.#settle((job) => job.reject(error)))
    worker.on("error", (error: Error) => {
      failure = error
    })
    worker.on("exit", (code) => {
      this.#settle((job) => job.reject(failure ?? new Error(`the job's worker thread ended with code ${code}`)))
      onExit()
    })
    // An idle thread does not keep the process alive; a job does.
    worker.unref()
  }

  get isBusy(): boolean {
    return this.#job !== null
  }

  start(job: Waiting, module: string): void {
    this.#job = job
    this.#worker.ref()
    job.signal.addEventListener("abort", this.#onAbort)
    const order: JobOrder = { id: this.#nextId++, module, spec: job.spec }
    try {
      this.#worker.postMessage(order)
    } catch (error) {
      // A spec that cannot be cloned.
      this.#settle((refused) => refused.reject(error))
    }
  }

  abort(): void {
    if (this.#job === null) return
    const reason: unknown = this.#job.signal.reason ?? stopped()
    this.#worker.postMessage({ id: this.#nextId - 1, abort: reason instanceof Error ? reason.message : String(reason) })
  }

  terminate(): Promise<unknown> {
    return this.#worker.terminate()
  }

  #finish(answer: JobAnswer): void {
    if (answer.id !== this.#nextId - 1) return
    this.#settle((job) => {
      if (answer.failure === undefined) job.resolve(answer.result)
      else job.reject(job.signal.aborted ? job.signal.reason : revive(answer.failure))
    })
    this.#onDone()
  }

  #settle(how: (job: Waiting) => void): void {
    const job = this.#job
    if (job === null) return
    this.#job = null
    job.signal.removeEventListener("abort", this.#onAbort)
    this.#worker.unref()
    how(job)
  }
}

function stopped(): Error {
  return new DOMException("jobs have been stopped", "AbortError")
}

function revive(failure: JobFailure): Error {
  const error = reviveBare(failure)
  if (failure.stack !== undefined) error.stack = failure.stack
  return error
}

function reviveBare(failure: JobFailure): Error {
  if (failure.name === "AssertionError") return new AssertionError(failure.message)
  if (failure.name === "DiskError") {
    const error = new DiskError(failure.code ?? "EIO", failure.path ?? "", "job")
    error.message = failure.message
    return error
  }
  const error = new Error(failure.message)
  error.name = failure.name
  return error
}
