// A worker thread of RealJobs: runs one job after the other with a disk of its own.
import { enableCompileCache } from "node:module"
import { setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import type { Clock } from "../clock.ts"
import type { Disk } from "../disk.ts"
import { assert } from "../pure.ts"
import { RealClock } from "./real-clock.ts"
import { RealDisk } from "./real-disk.ts"

/** Run the job `spec` with the body that `module` exports as `run`. */
export interface JobOrder {
  readonly id: number
  readonly module: string
  readonly spec: unknown
}

/** Abort the running job `id`; `abort` is the reason's message. */
export interface JobAbort {
  readonly id: number
  readonly abort: string
}

export interface JobWorkerData {
  readonly isBackground: boolean
}

export interface JobFailure {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly code: string | undefined
  readonly path: string | undefined
}

export interface JobAnswer {
  readonly id: number
  readonly result?: unknown
  readonly failure?: JobFailure
}

type JobModule = { run(spec: unknown, disk: Disk, signal: AbortSignal, clock: Clock): Promise<unknown> }

/** Of ordinary work is 0; a thread with 10 gets about a tenth of a processor that another one wants. */
const BACKGROUND_NICENESS = 10

enableCompileCache()
const port = parentPort
assert(port !== null, "job-worker runs in a worker thread")
// On Linux this is the thread's own priority; elsewhere it would be the process's.
if ((workerData as JobWorkerData).isBackground && process.platform === "linux") setPriority(0, BACKGROUND_NICENESS)
const disk = new RealDisk()
const clock = new RealClock()
let running: { readonly id: number; readonly controller: AbortController } | null = null

async function runJob(order: JobOrder, signal: AbortSignal): Promise<JobAnswer> {
  try {
    const module = (await import(order.module)) as JobModule
    return { id: order.id, result: await module.run(order.spec, disk, signal, clock) }
  } catch (error) {
    return { id: order.id, failure: describe(error) }
  }
}

function describe(error: unknown): JobFailure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: undefined, code: undefined, path: undefined }
  const { code, path } = error as { code?: unknown; path?: unknown }
  return {
    name: error.name, message: error.message, stack: error.stack,
    code: typeof code === "string" ? code : undefined, path: typeof path === "string" ? path : undefined,
  }
}

async function answerJob(order: JobOrder, signal: AbortSignal): Promise<void> {
  const answer = await runJob(order, signal)
  running = null
  try {
    port?.postMessage(answer)
  } catch (error) {
    // A result that cannot be cloned.
    port?.postMessage({ id: order.id, failure: describe(error) })
  }
}

port.on("message", (message: JobOrder | JobAbort) => {
  if ("abort" in message) {
    if (running?.id === message.id) running.controller.abort(new DOMException(message.abort, "AbortError"))
    return
  }
  const controller = new AbortController()
  running = { id: message.id, controller }
  void answerJob(message, controller.signal)
})
