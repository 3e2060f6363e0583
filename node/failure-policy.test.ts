// The decisions alone; that a store reports failures is tested in storage/, that service ends in cluster-tests/processes.
import { expect, test } from "vitest"
import { DiskError } from "../runtime/disk.ts"
import { CommitLogError, CorruptFileError, DiskFullError } from "../storage/errors.ts"
import type { CommitFailurePolicy, DiskFailurePolicy } from "../storage/store-options.ts"
import { FailurePolicy } from "./failure-policy.ts"

function policyOf(commit: CommitFailurePolicy, disk: DiskFailurePolicy): { policy: FailurePolicy; done: string[] } {
  const done: string[] = []
  const silent = (): void => undefined
  const policy = new FailurePolicy({
    commit, disk, log: { debug: silent, info: silent, warn: silent, error: silent },
    stopTransports: () => done.push("stop"), exit: (code) => done.push(`exit ${code}`),
  })
  return { policy, done }
}

const LOG_ERROR = new CommitLogError({ segment: 1, offset: 0 }, new DiskError("EIO", "log", "sync"))
const READ_ERROR = new DiskError("EIO", "file", "read")
const DAMAGE = new CorruptFileError("file", 10, "expected a block")
const FULL = new DiskError("ENOSPC", "file", "write")

test.each([["stop", "stop"], ["stop_commit", ""], ["ignore", ""], ["die", "exit 100"]] as const)("commit_failure_policy %s", (commit, expected) => {
  const { policy, done } = policyOf(commit, "ignore")
  policy.logFailed(LOG_ERROR)
  expect(done.join()).toBe(expected)
  expect(policy.stoppedBy !== null).toBe(commit === "stop")
})

test.each([
  ["stop", "stop", ""], ["stop_paranoid", "stop", "stop"], ["best_effort", "", ""], ["ignore", "", ""], ["die", "exit 100", "exit 100"],
] as const)("disk_failure_policy %s", (disk, refused, damaged) => {
  for (const [error, expected] of [[READ_ERROR, refused], [DAMAGE, damaged]] as const) {
    for (const report of ["diskFailed", "backgroundFailed"] as const) {
      const { policy, done } = policyOf("ignore", disk)
      policy[report](error)
      expect(done.join(), `${report} ${error.message}`).toBe(expected)
    }
  }
})

test("service ends once, and a full disk is no failure under any policy", () => {
  const { policy, done } = policyOf("stop", "stop")
  policy.logFailed(new DiskFullError(FULL))
  policy.backgroundFailed(FULL)
  expect(done).toEqual([])
  policy.logFailed(LOG_ERROR)
  policy.diskFailed(READ_ERROR)
  expect(done).toEqual(["stop"])
  const dying = policyOf("die", "die")
  dying.policy.logFailed(new DiskFullError(FULL))
  dying.policy.backgroundFailed(FULL)
  expect(dying.done).toEqual([])
})
