// What a node does when its disk fails: commit_failure_policy for the commit log, disk_failure_policy for data files.
//
//   log fails        die: the process ends. stop: clients and other nodes are not served any more, the process stays to be looked at.
//                    stop_commit: writes are refused, reads go on (the log sees to that). ignore: told, and tried again.
//   data file fails  die: the process ends. stop_paranoid: service ends. stop: service ends when the disk refused an operation, not for
//                    a file that is damaged. best_effort: the store goes on without the file. ignore: the request fails, and that is all.
//
// A disk that is full has not failed: writes are refused, reads go on, under every policy.
// What happens before the node serves clients, such as a damaged log, ends the start of the process whatever the policy,
// except where `ignore` goes on.
import { DiskError } from "../runtime/disk.ts"
import { DiskFullError } from "../storage/errors.ts"
import type { CommitFailurePolicy, DiskFailurePolicy } from "../storage/store-options.ts"
import type { Log } from "./log.ts"

/** As Cassandra's, so that a supervisor can tell. */
export const EXIT_CODE = 100

export interface FailurePolicyOptions {
  readonly commit: CommitFailurePolicy
  readonly disk: DiskFailurePolicy
  readonly log: Log
  /** Ends service to clients and to other nodes. Called once. */
  readonly stopTransports: () => void
  /** Ends the process at once. */
  readonly exit: (code: number) => void
}

export class FailurePolicy {
  readonly #options: FailurePolicyOptions
  #isStopped = false
  /** The first failure that ended service; null: it goes on. */
  stoppedBy: string | null = null

  constructor(options: FailurePolicyOptions) {
    this.#options = options
  }

  /** StoreEvents.logFailed. */
  readonly logFailed = (error: Error): void => {
    const { commit, log } = this.#options
    if (error instanceof DiskFullError) {
      log.error(`Writes are refused: ${error.message}`)
      return
    }
    log.error(`${error.message}. Commit disk failure policy is ${commit}`)
    if (commit === "die") this.#die()
    if (commit === "stop") this.#stop(error)
  }

  /** StoreEvents.diskFailed. */
  readonly diskFailed = (error: Error): void => {
    const { disk, log } = this.#options
    log.error(`${error.message}. Disk failure policy is ${disk}`)
    if (disk === "die") this.#die()
    // One damaged file does not say that the disk has failed.
    if (disk === "stop_paranoid" || (disk === "stop" && error instanceof DiskError)) this.#stop(error)
  }

  /** StoreEvents.failed: of a flush or a compaction. */
  readonly backgroundFailed = (error: Error): void => {
    const { log } = this.#options
    log.error(`Background work of the storage failed: ${error.message}`)
    const isFull = error instanceof DiskError && (error.code === "ENOSPC" || error.code === "EDQUOT")
    if (!isFull && (error instanceof DiskError || error.name === "CorruptFileError")) this.diskFailed(error)
  }

  #stop(error: Error): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.stoppedBy = error.message
    this.#options.log.error("Stopping service to clients and to other nodes")
    this.#options.stopTransports()
  }

  #die(): void {
    this.#options.log.error(`Exiting with code ${EXIT_CODE}`)
    this.#options.exit(EXIT_CODE)
  }
}
