// Time from the start of an empty three-node cluster to its first CQL answer, and the memory of all processes together.
// The first run fills the compile cache; the second is the figure.
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const ADDRESS_OFFSET = 90
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
  const child = spawn(process.execPath, [LAUNCHER, "start", "--empty", "--json", "--nodes", "3", "--data", directory, "--address-offset", String(ADDRESS_OFFSET)], { stdio: ["ignore", "pipe", "inherit"] })
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve())
      child.once("exit", (code) => reject(new Error(`the cluster ended with code ${code}`)))
    })
    await firstAnswer(`127.0.0.${ADDRESS_OFFSET + 1}`, 9042)
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

/** STARTUP and one query by hand, so that a driver's own start is not measured. */
function firstAnswer(address: string, port: number): Promise<void> {
  const text = Buffer.from("SELECT release_version FROM system.local")
  const query = Buffer.concat([int32(text.length), text, Buffer.from([0, 1, 0])])
  const startup = Buffer.concat([Buffer.from([0, 1]), shortString("CQL_VERSION"), shortString("3.0.0")])
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, address, () => socket.write(frame(1, startup)))
    let received = Buffer.alloc(0)
    socket.once("error", reject)
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes])
      if (received.length < 9 || received.length < 9 + received.readInt32BE(5)) return
      const opcode = received[4]
      received = received.subarray(9 + received.readInt32BE(5))
      if (opcode === 2) socket.write(frame(7, query))
      else {
        socket.destroy()
        if (opcode === 8) resolve()
        else reject(new Error(`answer with opcode ${opcode}`))
      }
    })
  })
}

function frame(opcode: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([4, 0, 0, 1, opcode]), int32(body.length), body])
}
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
function shortString(text: string): Buffer {
  return Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)])
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8")
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]))
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [root]
  for (const parent of found) for (const [pid, of] of parents) if (of === parent && !found.includes(pid)) found.push(pid)
  return found
}

/** Proportional set size in KiB (Linux). */
function proportionalKiB(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0)
}
