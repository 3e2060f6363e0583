// How the storage benchmark measures: a phase is run several times in one process, each figure is printed as it comes, and
// the table shows the median. "cpu us" is that of all threads for each row.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { median } from "./report.ts"

/** Reads between two turns of the event loop, as when they come from sockets. */
export const READS_PER_TURN = 128

export interface StorageWork {
  readonly rows: number
  readonly reads: number
  /** Inserts that are handed to the operating system together. */
  readonly batch: number
  readonly cacheBytes: number
  readonly smallCacheBytes: number
}

export interface Figure {
  readonly engine: string
  readonly what: string
  /** Per second, or what the name says. */
  readonly value: number
  readonly cpuUs: number | null
}

export class Measure {
  readonly figures: Figure[] = []
  readonly #engine: string
  readonly #rounds: number
  readonly #isQuiet: boolean

  /** `isQuiet`: everything runs once and nothing is kept, so that the code is compiled before it counts. */
  constructor(engine: string, rounds: number, isQuiet: boolean) {
    this.#engine = engine
    this.#rounds = isQuiet ? 1 : rounds
    this.#isQuiet = isQuiet
  }

  /** `count` of something, once. */
  async once(what: string, count: number, run: () => void | Promise<void>): Promise<void> {
    const cpu = process.cpuUsage()
    const startedMs = performance.now()
    await run()
    const seconds = (performance.now() - startedMs) / 1000
    const { user, system } = process.cpuUsage(cpu)
    this.#add({ engine: this.#engine, what, value: count / seconds, cpuUs: (user + system) / count })
  }

  /** The same in every round. */
  async rounds(what: string, count: number, run: () => void | Promise<void>): Promise<void> {
    for (let round = 0; round < this.#rounds; round++) await this.once(what, count, run)
  }

  /** A figure that is no rate. */
  value(what: string, value: number): void {
    this.#add({ engine: this.#engine, what, value, cpuUs: null })
  }

  #add(figure: Figure): void {
    if (this.#isQuiet) return
    this.figures.push(figure)
    console.log(JSON.stringify(figure))
  }
}

export function summary(figures: readonly Figure[], engines: readonly string[]): Record<string, string | number | null>[] {
  return [...new Set(figures.map(({ what }) => what))].map((what) => {
    const row: Record<string, string | number | null> = { what }
    for (const engine of engines) {
      const mine = figures.filter((each) => each.what === what && each.engine === engine)
      const cpu = mine.flatMap(({ cpuUs }) => (cpuUs === null ? [] : [cpuUs]))
      row[engine] = mine.length === 0 ? null : median(mine.map(({ value }) => value))
      row[`${engine} cpu us`] = cpu.length === 0 ? null : median(cpu)
    }
    return row
  })
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Calls `read` for each number below `reads`, with turns of the event loop between. */
export async function inTurns(reads: number, read: (index: number) => void | Promise<void>): Promise<void> {
  for (let index = 0; index < reads; index++) {
    const waiting = read(index)
    if (waiting !== undefined) await waiting
    if (index % READS_PER_TURN === 0) await turn()
  }
}

export async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "belvedere-bench-"))
  try {
    await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export function bytesOnDisk(directory: string): number {
  let sum = 0
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) if (entry.isFile()) sum += statSync(join(entry.parentPath, entry.name)).size
  return sum
}
