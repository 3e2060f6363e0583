// Writes that do not end: memory with a million rows, then as many rows as several flushes and a compaction take. CPU is
// that of all threads until nothing is left to do, and what reached the disk is set against what the client sent.
import { readdirSync } from "node:fs"
import { runLoad } from "./load.ts"
import { SCHEMA, ROW_BYTES, rowsInOrder } from "./node-workloads.ts"
import { cpuTime, residentMiB, writtenBytes } from "./process-cpu.ts"
import { printTable } from "./report.ts"
import { type ServerProcess, createBenchKeyspace, startNode } from "./server-process.ts"

const MILLION = 1_000_000
const SETTLE_POLL_MS = 500
const SETTLE_LIMIT_MS = 60_000
/** Of one core: less, twice in a row, and nothing is going on any more. */
const IDLE_SHARE = 0.03

export async function benchSustained(address: string, rows: number): Promise<void> {
  const server = await startNode(address, null)
  try {
    await createBenchKeyspace(server, SCHEMA)
    const target = { address: server.address, port: server.port, pid: server.pid, connections: 8, outstanding: 128, seconds: 0, warmSeconds: 0 }
    await runLoad({ ...target, ...rowsInOrder(MILLION) })
    const residentOfMillion = residentMiB(server.pid)
    const bytesBefore = writtenBytes(server.pid)
    const cpuBefore = cpuTime(server.pid)
    const result = await runLoad({ ...target, ...rowsInOrder(rows) })
    await untilIdle(server.pid)
    const cpu = cpuTime(server.pid)
    const figure = {
      workload: "sustained writes 8x128", rows,
      "requests/s": result.requestsPerSecond,
      "main us": (cpu.mainUs - cpuBefore.mainUs) / rows,
      "all us": (cpu.allUs - cpuBefore.allUs) / rows,
      "p99 ms": result.p99Ms, "p999 ms": result.p999Ms,
      "written / sent": (writtenBytes(server.pid) - bytesBefore) / (rows * ROW_BYTES),
      ...sstables(server),
      "MiB with 1M rows": residentOfMillion, "MiB at the end": residentMiB(server.pid),
    }
    console.log(JSON.stringify(figure))
    printTable([figure])
  } finally {
    await server.stop()
  }
}

/** SSTables carry numbers that count up: those that are missing were compacted. */
function sstables(server: ServerProcess): { readonly "SSTables written": number; readonly "SSTables left": number } {
  const names = readdirSync(server.directory as string, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sst"))
  return { "SSTables written": Math.max(0, ...names.map((name) => Number(/(\d+)\.sst$/.exec(name)?.[1] ?? 0))), "SSTables left": names.length }
}

async function untilIdle(pid: number): Promise<void> {
  let before = cpuTime(pid).allUs
  let quiet = 0
  for (let waitedMs = 0; waitedMs < SETTLE_LIMIT_MS && quiet < 2; waitedMs += SETTLE_POLL_MS) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS))
    const now = cpuTime(pid).allUs
    quiet = now - before < SETTLE_POLL_MS * 1000 * IDLE_SHARE ? quiet + 1 : 0
    before = now
  }
}
