// The nodes of a local cluster end with the process that started them, also when that is killed.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, expect, test } from "vitest"
import { FIRST_ADDRESS } from "./cluster.ts"

const LAUNCHER = resolve(import.meta.dirname, "../../node/launch.mjs")
const directory = mkdtempSync(join(tmpdir(), "belvedere-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test("a killed parent leaves no node behind", async () => {
  const parent = spawn(process.execPath, [LAUNCHER, "start", "--empty", "--json", "--nodes", "2", "--data", directory, "--first-address", FIRST_ADDRESS], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const ready = await new Promise<string>((done) => {
    parent.stdout.once("data", (text: Buffer) => done(text.toString()))
  })
  const { nodes } = JSON.parse(ready) as { nodes: { pid: number }[] }
  expect(nodes.map(({ pid }) => isRunning(pid))).toEqual([true, true])
  parent.kill("SIGKILL")
  const deadlineMs = performance.now() + 30_000
  while (nodes.some(({ pid }) => isRunning(pid)) && performance.now() < deadlineMs) await new Promise((done) => setTimeout(done, 50))
  const left = nodes.filter(({ pid }) => isRunning(pid))
  for (const { pid } of left) process.kill(pid, "SIGKILL")
  expect(left).toEqual([])
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
