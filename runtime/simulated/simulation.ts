// A whole cluster under one seed: one scheduler, one hub, a disk for each machine, and a process on it at a time.
//
//   const simulation = createSimulation(42)
//   const one = simulation.start(1)                     // ports for the process that the test wires together
//   await simulation.run(() => done)                    // simulated time passes only here
//   simulation.kill(1)                                  // or powerLoss(1)
//   const again = simulation.start(1)                   // same disk, new process
//
// The same seed and the same program give the same `trace.hash()`; `replayHint` says how to see a failure again.
import { assert } from "../pure.ts"
import type { NodeId } from "../network.ts"
import type { Random } from "../random.ts"
import { Scheduler } from "./scheduler.ts"
import type { RunLimits } from "./scheduler.ts"
import { SimulatedByteHub } from "./simulated-byte-listener.ts"
import type { SimulatedByteListener } from "./simulated-byte-listener.ts"
import { SimulatedClock } from "./simulated-clock.ts"
import { SimulatedDisk } from "./simulated-disk.ts"
import { SimulatedJobs } from "./simulated-jobs.ts"
import type { JobBodies } from "./simulated-jobs.ts"
import { SimulatedHub } from "./simulated-network.ts"
import type { LinkConditions, SimulatedNetwork } from "./simulated-network.ts"
import { SimulatedRandom } from "./simulated-random.ts"
import { Trace } from "./trace.ts"

export interface SimulationOptions {
  /** Jobs that nodes run. */
  readonly bodies?: JobBodies
  readonly conditions?: LinkConditions
  readonly maxQueueBytes?: number
  /** Clocks of nodes are off by up to so much, each way. */
  readonly maxSkewMs?: number
  /** Keeps the trace as text: `trace.lines`. */
  readonly keepTrace?: boolean
}

/** The ports of one process. */
export interface SimulatedProcess {
  readonly node: NodeId
  /** 1 for the first process of the node, 2 for the next. */
  readonly incarnation: number
  readonly clock: SimulatedClock
  readonly disk: SimulatedDisk
  readonly network: SimulatedNetwork
  readonly random: Random
  readonly jobs: SimulatedJobs
  readonly listener: SimulatedByteListener
}

export class Simulation {
  readonly seed: number | string
  readonly trace: Trace
  readonly scheduler: Scheduler
  /** A clock that no kill ends: the test's own. */
  readonly clock: SimulatedClock
  /** The test's own generator. */
  readonly random: Random
  readonly hub: SimulatedHub
  readonly clients: SimulatedByteHub
  readonly #root: SimulatedRandom
  readonly #options: SimulationOptions
  readonly #disks = new Map<NodeId, SimulatedDisk>()
  readonly #processes = new Map<NodeId, SimulatedProcess>()
  readonly #incarnations = new Map<NodeId, number>()

  constructor(seed: number | string, options: SimulationOptions = {}) {
    this.seed = seed
    this.#options = options
    this.#root = new SimulatedRandom(seed)
    this.trace = new Trace({ keepLines: options.keepTrace === true })
    this.scheduler = new Scheduler(this.trace)
    this.clock = new SimulatedClock({ scheduler: this.scheduler })
    this.random = this.#root.child("test")
    const { conditions, maxQueueBytes } = options
    this.hub = new SimulatedHub({
      scheduler: this.scheduler, random: this.#root.child("network"), trace: this.trace,
      ...(conditions === undefined ? {} : { conditions }), ...(maxQueueBytes === undefined ? {} : { maxQueueBytes }),
    })
    this.clients = new SimulatedByteHub({ scheduler: this.scheduler, random: this.#root.child("clients") })
  }

  /** The machine's disk, whether a process runs there or not. */
  disk(node: NodeId): SimulatedDisk {
    let disk = this.#disks.get(node)
    if (disk === undefined) {
      disk = new SimulatedDisk({ clock: this.clock, random: this.#root.child(`disk:n${node}`), trace: this.trace })
      // The rest of the process dies with the operation that the crash strikes.
      disk.onCrash = () => this.#end(node)
      this.#disks.set(node, disk)
    }
    return disk
  }

  /** The ports of a new process on the node's machine. REQUIRES: none runs there. */
  start(node: NodeId): SimulatedProcess {
    assert(!this.#processes.has(node), `no process runs on node ${node}`)
    const disk = this.disk(node)
    if (disk.isCrashed) disk.kill()
    const incarnation = (this.#incarnations.get(node) ?? 0) + 1
    this.#incarnations.set(node, incarnation)
    const random = this.#root.child(`process:n${node}:${incarnation}`)
    const skewMicros = Math.round((random.child("skew").float() * 2 - 1) * (this.#options.maxSkewMs ?? 0) * 1000)
    const clock = new SimulatedClock({ scheduler: this.scheduler, skewMicros })
    const jobs = new SimulatedJobs({ bodies: this.#options.bodies ?? {}, clock, disk, random: random.child("jobs") })
    const listener = this.clients.listener(clock)
    const process = { node, incarnation, clock, disk, network: this.hub.network(node, { clock }), random, jobs, listener }
    this.#processes.set(node, process)
    return process
  }

  isRunning(node: NodeId): boolean {
    return this.#processes.has(node)
  }

  /** The process is gone; what it has written stays. */
  kill(node: NodeId): void {
    this.#end(node)
    this.disk(node).kill()
  }

  /** The machine has lost its power; what was not synced stays or goes. */
  powerLoss(node: NodeId): void {
    this.#end(node)
    this.disk(node).powerLoss(this.#root.child(`power:n${node}:${this.#incarnations.get(node) ?? 0}`))
  }

  /** See Scheduler.run. A failure names the seed. */
  async run(until: number | (() => boolean), limits?: RunLimits): Promise<void> {
    try {
      await this.scheduler.run(until, limits)
    } catch (error) {
      if (error instanceof Error) error.message += ` (${this.replayHint})`
      throw error
    }
  }

  get replayHint(): string {
    return `seed ${JSON.stringify(this.seed)}, trace ${this.trace.hash()} after ${this.trace.count} events`
  }

  #end(node: NodeId): void {
    const process = this.#processes.get(node)
    if (process === undefined) return
    this.#processes.delete(node)
    this.trace.record(this.scheduler.nowMicros, `end ${node}`)
    process.clock.kill()
    process.network.kill()
    process.listener.kill()
  }
}

export function createSimulation(seed: number | string, options?: SimulationOptions): Simulation {
  return new Simulation(seed, options)
}
