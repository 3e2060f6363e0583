// Job bodies for jobs.test.ts: loaded by URL in worker threads, called in line by the simulator.
import { DiskError } from "../disk.ts"
import type { Disk } from "../disk.ts"
import { assert } from "../pure.ts"

export interface TestJobSpec {
  readonly text?: string
  /** A file to append `text` to; the result is the list of its directory. */
  readonly path?: string
  /** Its first int32 is counted up. */
  readonly shared?: SharedArrayBuffer
  readonly untilAborted?: boolean
  readonly fail?: "disk" | "assert" | "custom" | "exit"
}

export interface TestJobResult {
  readonly text: string
  readonly shared: SharedArrayBuffer | null
}

class CustomError extends Error {
  override readonly name = "CustomError"
}

/** Does what the spec says and answers with what it saw. */
export async function run(spec: TestJobSpec, disk: Disk, signal: AbortSignal): Promise<TestJobResult> {
  if (spec.fail === "disk") throw new DiskError("EIO", "/some/path", "read")
  if (spec.fail === "assert") assert(false, "a broken assertion")
  if (spec.fail === "custom") throw new CustomError("of the job's own")
  if (spec.fail === "exit") process.exit(3)
  if (spec.untilAborted === true) await aborted(signal)
  if (spec.shared !== undefined) Atomics.add(new Int32Array(spec.shared), 0, 1)
  if (spec.path === undefined) return { text: spec.text ?? "", shared: spec.shared ?? null }
  const file = disk.appendFile(spec.path)
  file.write(Buffer.from(spec.text ?? ""))
  await new Promise<void>((resolve, reject) => file.sync((error) => (error === null ? resolve() : reject(error))))
  file.close()
  return { text: disk.list(spec.path.slice(0, spec.path.lastIndexOf("/"))).join(" "), shared: null }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => reject(signal.reason as Error)
    if (signal.aborted) fail()
    signal.addEventListener("abort", fail)
  })
}
