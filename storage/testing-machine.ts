// A machine with one store on a simulated disk, for tests of what the disk does to it.
import type { SimulatedDisk } from "../runtime/simulated/simulated-disk.ts"
import { type Simulation, createSimulation } from "../runtime/simulated/simulation.ts"
import type { StoreEvents } from "../data/local-store.ts"
import { SEGMENT_HEADER_BYTES, chunkEnd } from "./log/commit-log-format.ts"
import { run as compact } from "./jobs/compact.ts"
import { run as flush } from "./jobs/flush.ts"
import { openStore } from "./open-store.ts"
import type { StoreOptions } from "./store-options.ts"
import type { Store } from "./store.ts"
import { TextSink, commandOf, testTable } from "./testing.ts"

export const TABLE = testTable()
export const LOG = "data/commitlog"

export class Machine {
  readonly simulation: Simulation
  readonly failures: Error[] = []

  constructor(seed = 1) {
    this.simulation = createSimulation(seed, { bodies: { flush, compact } })
  }

  get disk(): SimulatedDisk {
    return this.simulation.disk(1)
  }
  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false
    const settled = promise.finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    await this.simulation.run(() => done)
    return settled
  }
  open(options: Partial<StoreOptions> = {}, events: Partial<StoreEvents> = {}): Promise<Store> {
    const { disk, clock, jobs } = this.simulation.start(1)
    return this.settle(
      openStore({
        disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables: [TABLE], rowsPerShare: 1_000_000, ...options },
        events: { obligation: () => undefined, failed: (error) => this.failures.push(error), ...events },
      }),
    )
  }
  kill(): void {
    this.simulation.kill(1)
  }
  losePower(): void {
    this.simulation.powerLoss(1)
  }
  /** Lets simulated time pass. */
  async pass(milliseconds: number): Promise<void> {
    await this.simulation.run(this.simulation.scheduler.nowMicros / 1000 + milliseconds)
  }
  /** Replaces a file. */
  write(path: string, bytes: Uint8Array): void {
    const file = this.disk.appendFile(path, { truncateTo: 0 })
    file.write(bytes)
    file.close()
  }
}

/** The rows of a partition, as text. */
export function values(store: Store, key = "k"): string[] {
  const sink = new TextSink()
  void store.read(commandOf({ table: TABLE, key }), sink)
  return sink.lines.filter((line) => line.includes("=")).map((line) => line.trim())
}

/** The segments that there are; not the spares. */
export function logs(machine: Machine): string[] {
  return machine.disk.list(LOG).filter((name) => name.endsWith(".log"))
}

/** Where the chunks of a segment start, and its end. */
export function chunkStarts(bytes: Buffer, segment: number): number[] {
  const starts = [SEGMENT_HEADER_BYTES]
  for (let end = chunkEnd(bytes, SEGMENT_HEADER_BYTES, segment, null); end !== 0; end = chunkEnd(bytes, end, segment, null)) starts.push(end)
  return starts
}

/** Rows of the table. */
export async function rowCount(store: Store): Promise<number> {
  const sink = new TextSink()
  await store.read(commandOf({ table: TABLE }), sink)
  return sink.lines.filter((line) => line.includes("=")).length
}
