// CPU time of another process, from /proc (Linux).
import { readFileSync, readdirSync } from "node:fs"

export interface CpuTime {
  /** Of the thread that runs requests. */
  readonly mainUs: number
  /** Of all threads, also those that have ended. */
  readonly allUs: number
}

/** Clock ticks of 10 ms: measure over seconds. */
const US_PER_TICK = 10_000

export function cpuTime(pid: number): CpuTime {
  return { mainUs: ticks(`/proc/${pid}/task/${pid}/stat`) * US_PER_TICK, allUs: ticks(`/proc/${pid}/stat`) * US_PER_TICK }
}

export function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024
}

/** What the process has caused to be written to disks. */
export function writtenBytes(pid: number): number {
  const io = readFileSync(`/proc/${pid}/io`, "utf8")
  const of = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, "m").exec(io)?.[1] ?? 0)
  return of("write_bytes") - of("cancelled_write_bytes")
}

/** Proportional set size in KiB. */
export function proportionalKiB(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0)
}

/** The process and all below it. */
export function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      parents.set(Number(name), Number(fields(`/proc/${name}/stat`)[1]))
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [root]
  for (const parent of found) for (const [pid, of] of parents) if (of === parent && !found.includes(pid)) found.push(pid)
  return found
}

function ticks(path: string): number {
  const stat = fields(path)
  return Number(stat[11]) + Number(stat[12])
}

/** What follows the name, which may hold anything. */
function fields(path: string): string[] {
  const stat = readFileSync(path, "utf8")
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}
