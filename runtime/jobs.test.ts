// One suite for jobs in worker threads and jobs in line.
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { DiskError } from "./disk.ts"
import { AssertionError } from "./pure.ts"
import { moduleUrl, RealJobs } from "./real/real-jobs.ts"
import { SimulatedClock } from "./simulated/simulated-clock.ts"
import { SimulatedDisk } from "./simulated/simulated-disk.ts"
import { SimulatedJobs } from "./simulated/simulated-jobs.ts"
import type { JobBodies } from "./simulated/simulated-jobs.ts"
import { run } from "./testdata/test-job.ts"
import type { TestJobResult, TestJobSpec } from "./testdata/test-job.ts"

/** Jobs with the tests' own kind, which is not added to JobSpecs: the kinds of the product are everywhere. */
interface TestJobs {
  run(kind: "testJob", spec: TestJobSpec, signal: AbortSignal): Promise<TestJobResult>
  stop(): Promise<void>
}

interface Subject {
  readonly jobs: TestJobs
  readonly directory: string
  settle<T>(promise: Promise<T>): Promise<T>
}

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const fn of cleanUp.splice(0)) await fn()
})

function real(workerCount = 2): Subject {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "belvedere-jobs-"))
  const jobs = new RealJobs({ modules: { testJob: moduleUrl("./testdata/test-job.ts", import.meta.url) }, workerCount })
  cleanUp.push(() => jobs.stop(), () => fs.rmSync(directory, { recursive: true }))
  return { jobs: jobs as unknown as TestJobs, directory, settle: (promise) => promise }
}

function simulated(): Subject & { readonly clock: SimulatedClock } {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  disk.makeDirectory("/jobs")
  return {
    clock,
    jobs: new SimulatedJobs({ bodies: { testJob: run } as unknown as JobBodies, clock, disk }) as unknown as TestJobs,
    directory: "/jobs",
    async settle(promise) {
      let isSettled = false
      const settled = (): void => {
        isSettled = true
      }
      promise.then(settled, settled)
      await clock.run(() => isSettled)
      return promise
    },
  }
}

const never = new AbortController().signal
function start(jobs: TestJobs, spec: TestJobSpec, signal = never): Promise<TestJobResult> {
  return jobs.run("testJob", spec, signal)
}

describe.each([["worker thread", real], ["simulated", simulated]] as const)("%s jobs", (_name, create) => {
  it("give their result", async () => {
    const { jobs, settle } = create()
    const results = await settle(Promise.all([1, 2, 3, 4, 5].map((i) => start(jobs, { text: `job ${i}` }))))
    expect(results.map((result) => result.text)).toEqual(["job 1", "job 2", "job 3", "job 4", "job 5"])
  })

  it("have a disk", async () => {
    const { jobs, settle, directory } = create()
    await settle(start(jobs, { path: `${directory}/a`, text: "x" }))
    expect((await settle(start(jobs, { path: `${directory}/b`, text: "y" }))).text).toBe("a b")
  })

  it("share SharedArrayBuffers and clone everything else", async () => {
    const { jobs, settle } = create()
    const shared = new SharedArrayBuffer(8)
    const result = await settle(start(jobs, { shared }))
    expect(new Int32Array(shared)[0]).toBe(1)
    new Int32Array(shared)[1] = 42
    expect(new Int32Array(result.shared as SharedArrayBuffer)[1]).toBe(42)
    await expect(settle(start(jobs, { text: (() => {}) as unknown as string }))).rejects.toThrow("could not be cloned")
    // The thread is none the worse.
    expect((await settle(start(jobs, { text: "ok" }))).text).toBe("ok")
  })

  it("fail with the error of the body", async () => {
    const { jobs, settle } = create()
    const disk = await settle(start(jobs, { fail: "disk" }).catch((error: unknown) => error))
    expect(disk).toBeInstanceOf(DiskError)
    expect(disk).toMatchObject({ code: "EIO", path: "/some/path", message: "read /some/path: EIO" })
    await expect(settle(start(jobs, { fail: "assert" }))).rejects.toThrow(AssertionError)
    await expect(settle(start(jobs, { fail: "custom" }))).rejects.toMatchObject({ name: "CustomError", message: "of the job's own" })
  })

  it("can be aborted before and while they run", async () => {
    const { jobs, settle } = create()
    const before = AbortSignal.abort(new Error("not at all"))
    await expect(settle(start(jobs, { text: "x" }, before))).rejects.toThrow("not at all")
    const controller = new AbortController()
    const running = start(jobs, { untilAborted: true }, controller.signal)
    controller.abort(new Error("enough"))
    await expect(settle(running)).rejects.toThrow("enough")
    expect((await settle(start(jobs, { text: "next" }))).text).toBe("next")
  })

  it("stop: what runs is aborted, what comes is refused", async () => {
    const { jobs, settle } = create()
    const running = [start(jobs, { untilAborted: true }), start(jobs, { untilAborted: true }), start(jobs, { untilAborted: true })]
    const outcomes = Promise.allSettled(running)
    await settle(jobs.stop())
    for (const outcome of await settle(outcomes)) expect(outcome).toMatchObject({ status: "rejected", reason: { name: "AbortError" } })
    await expect(settle(start(jobs, { text: "late" }))).rejects.toThrow("jobs have been stopped")
    await settle(jobs.stop())
  })

  it("take no kind that nobody knows", async () => {
    const { jobs } = create()
    const unknown = async (): Promise<unknown> => await jobs.run("nothing" as "testJob", {}, never)
    await expect(unknown()).rejects.toThrow(AssertionError)
  })
})

describe("worker thread jobs", () => {
  it("wait for a free thread, in order", async () => {
    const { jobs } = real(1)
    const order: string[] = []
    await Promise.all(["a", "b", "c"].map(async (text) => order.push((await start(jobs, { text })).text)))
    expect(order).toEqual(["a", "b", "c"])
  })

  it("are dropped when aborted while they wait", async () => {
    const { jobs } = real(1)
    const first = new AbortController()
    const second = new AbortController()
    const running = start(jobs, { untilAborted: true }, first.signal)
    const waiting = start(jobs, { untilAborted: true }, second.signal)
    second.abort(new Error("second"))
    first.abort(new Error("first"))
    await expect(running).rejects.toThrow("first")
    await expect(waiting).rejects.toThrow("second")
  })

  it("fail when their thread dies, and get a new one", async () => {
    const { jobs } = real(1)
    const dying = start(jobs, { fail: "exit" })
    const next = start(jobs, { text: "next" })
    await expect(dying).rejects.toThrow("worker thread ended with code 3")
    expect((await next).text).toBe("next")
  })
})

describe("simulated jobs", () => {
  it("take simulated time before and after", async () => {
    const { jobs, settle, clock } = simulated()
    await settle(start(jobs, { text: "x" }))
    expect(clock.monotonicMs()).toBeCloseTo(0.2)
  })
})
