// Time from the start of an empty three-node cluster to its first CQL answer, and the memory of all processes together.
// The first run fills the compile cache; the second is the figure.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { CqlConnection } from "./cql-connection.ts"
import { descendants, proportionalKiB } from "./process-cpu.ts"

const FIRST_ADDRESS = "127.0.84.1"
const LAUNCHER = fileURLToPath(new URL("../node/launch.mjs", import.meta.url))

export interface StartFigures {
  readonly firstAnswerSeconds: number
  readonly memoryMiB: number
  readonly processes: number
}

/** One line per run and one with the median. */
export async function benchStart(runs: number): Promise<StartFigures[]> {
  const figures: StartFigures[] = []
  for (let run = 0; run <= runs; run++) {
    const result = await startOnce()
    console.log(`${run === 0 ? "first" : `run ${run}`}: first answer after ${result.firstAnswerSeconds.toFixed(2)} s, ${result.memoryMiB.toFixed(0)} MiB in ${result.processes} processes`)
    if (run > 0) figures.push(result)
  }
  return figures
}

async function startOnce(): Promise<StartFigures> {
  const directory = mkdtempSync(join(tmpdir(), "belvedere-bench-"))
  const startedMs = performance.now()
  const child = spawn(process.execPath, [LAUNCHER, "start", "--empty", "--json", "--nodes", "3", "--data", directory, "--first-address", FIRST_ADDRESS], { stdio: ["ignore", "pipe", "inherit"] })
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve())
      child.once("exit", (code) => reject(new Error(`the cluster ended with code ${code}`)))
    })
    // By hand, so that a driver's own start is not measured.
    const connection = await CqlConnection.connect(FIRST_ADDRESS, 9042)
    await connection.query("SELECT release_version FROM system.local")
    connection.close()
    const firstAnswerSeconds = (performance.now() - startedMs) / 1000
    const processes = descendants(child.pid as number)
    return { firstAnswerSeconds, memoryMiB: processes.reduce((sum, pid) => sum + proportionalKiB(pid), 0) / 1024, processes: processes.length }
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGTERM")
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
}
