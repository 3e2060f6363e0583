import type { Clock } from "./clock.ts"
import type { Disk } from "./disk.ts"

/** Specifications and results by kind of job. A folder that has jobs extends these by declaration merging. */
// oxlint-disable-next-line typescript/no-empty-interface
export interface JobSpecs {}
// oxlint-disable-next-line typescript/no-empty-interface
export interface JobResults {}
export type JobKind = keyof JobSpecs & keyof JobResults

/** The body of a job: runs in a worker thread, or in line in the simulator. The spec is cloneable data. */
export type JobBody<K extends JobKind> = (spec: JobSpecs[K], disk: Disk, signal: AbortSignal, clock: Clock) => Promise<JobResults[K]>

/** Work that may not run on the request thread: flush, compaction, hashing. */
export interface Jobs {
  run<K extends JobKind>(kind: K, spec: JobSpecs[K], signal: AbortSignal): Promise<JobResults[K]>
  stop(): Promise<void>
}
