// A network between simulated nodes that does all that a network may do: it drops, delays, duplicates and reorders messages, and
// falls into parts. Everything it decides comes from one generator.
//
// Links: a node that sends has a link to each other node that is there. It comes up soon after both have started, goes down soon
// after the other has died, and after LINK_DOWN_AFTER_MS when the two are cut off from each other; until then messages are lost in
// silence, as on a real network. A process that was started anew is a new instance: what was under way to the old one is lost.
//
// The bytes of a message are overwritten after the handler has returned: who keeps them without a copy is found out.
import type { JoinNetwork, Lane, Network, NetworkHandlers, NodeId } from "../network.ts"
import { Buffer, assert } from "../pure.ts"
import type { Random } from "../random.ts"
import type { Scheduler } from "./scheduler.ts"
import { SimulatedClock } from "./simulated-clock.ts"
import type { Trace } from "./trace.ts"

const LINK_DOWN_AFTER_MS = 4000
const MAX_LINK_UP_MS = 50
const MAX_LINK_LOST_MS = 5

export interface LinkConditions {
  readonly delayMinMs: number
  readonly delayMaxMs: number
  /** Share of the messages, 0 to 1. */
  readonly dropRate: number
  readonly duplicateRate: number
}

export const CALM: LinkConditions = { delayMinMs: 0.1, delayMaxMs: 0.5, dropRate: 0, duplicateRate: 0 }

/** One direction between two nodes. */
interface Pair {
  conditions: LinkConditions | null
  isCut: boolean
  /** Bytes under way on the present link; a new one for each link. */
  queue: { bytes: number }
  /** The instance of the receiver that the sender's link leads to. */
  linkedTo: SimulatedNetwork | null
  linkedFrom: SimulatedNetwork | null
  /** Grows with every change, so that an announcement that was overtaken is dropped. */
  generation: number
}

export interface HubOptions {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly trace?: Trace
  readonly conditions?: LinkConditions
  readonly maxQueueBytes?: number
}

export class SimulatedHub {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly trace: Trace | null
  readonly maxQueueBytes: number
  conditions: LinkConditions
  readonly #pairs = new Map<string, Pair>()
  readonly #nodes = new Map<NodeId, SimulatedNetwork>()
  readonly #addresses = new Map<string, SimulatedNetwork>()

  constructor(options: HubOptions) {
    this.scheduler = options.scheduler
    this.random = options.random
    this.trace = options.trace ?? null
    this.maxQueueBytes = options.maxQueueBytes ?? 16 * 1024 * 1024
    this.conditions = options.conditions ?? CALM
  }

  /** The network port of one process. A node that starts again gets a new one. Without a number (0) it needs an address. */
  network(self: NodeId, options: { clock?: SimulatedClock; address?: string; port?: number } = {}): SimulatedNetwork {
    const clock = options.clock ?? new SimulatedClock({ scheduler: this.scheduler })
    const network = new SimulatedNetwork(this, self, clock, `${options.address ?? `10.0.0.${self}`}:${options.port ?? 7000}`)
    this.#addresses.set(network.address, network)
    return network
  }

  /** Conditions of one direction; null: those of the hub again. */
  setConditions(from: NodeId, to: NodeId, conditions: LinkConditions | null): void {
    this.pair(from, to).conditions = conditions
  }

  /** Cuts all links between different groups and mends those within one. Nodes that are not named stay as they are. */
  partition(...groups: readonly (readonly NodeId[])[]): void {
    for (const group of groups) {
      for (const from of group) {
        for (const other of groups) for (const to of other) if (from !== to) this.cutOneWay(from, to, group !== other)
      }
    }
  }

  cut(a: NodeId, b: NodeId): void {
    this.cutOneWay(a, b)
    this.cutOneWay(b, a)
  }

  /** Loses everything that `from` sends to `to`. */
  cutOneWay(from: NodeId, to: NodeId, isCut = true): void {
    this.pair(from, to).isCut = isCut
    this.refresh(from, to)
    this.refresh(to, from)
  }

  /** Mends everything that `partition`, `cut` and `cutOneWay` did. */
  heal(): void {
    for (const [key, pair] of this.#pairs) {
      if (!pair.isCut) continue
      pair.isCut = false
      const [from, to] = key.split(">").map(Number) as [NodeId, NodeId]
      this.refresh(from, to)
      this.refresh(to, from)
    }
  }

  pair(from: NodeId, to: NodeId): Pair {
    const key = `${from}>${to}`
    let pair = this.#pairs.get(key)
    if (pair === undefined) {
      pair = { conditions: null, isCut: false, queue: { bytes: 0 }, linkedTo: null, linkedFrom: null, generation: 0 }
      this.#pairs.set(key, pair)
    }
    return pair
  }

  isCut(a: NodeId, b: NodeId): boolean {
    return this.pair(a, b).isCut || this.pair(b, a).isCut
  }

  instance(node: NodeId): SimulatedNetwork | null {
    const network = this.#nodes.get(node)
    return network?.isRunning === true ? network : null
  }
  instanceAt(address: string): SimulatedNetwork | null {
    const network = this.#addresses.get(address)
    return network?.isAlive === true ? network : null
  }

  /** A process has started or is gone. */
  changed(network: SimulatedNetwork): void {
    if (network.isRunning) this.#nodes.set(network.self, network)
    for (const other of this.#nodes.keys()) {
      if (other === network.self) continue
      this.refresh(network.self, other)
      this.refresh(other, network.self)
    }
  }

  /** Brings the link from one node to another up or down, after the time that it takes the sender to notice. */
  refresh(from: NodeId, to: NodeId): void {
    const pair = this.pair(from, to)
    const sender = this.instance(from)
    const receiver = this.instance(to)
    pair.generation++
    if (sender !== pair.linkedFrom) {
      pair.linkedFrom = sender
      pair.linkedTo = null
    }
    if (sender === null) return
    const isCut = this.isCut(from, to)
    const old = pair.linkedTo
    if (old !== null && (isCut || old !== receiver)) {
      const noticedMs = old === receiver ? LINK_DOWN_AFTER_MS : this.random.float() * MAX_LINK_LOST_MS
      this.#later(pair, sender, noticedMs, () => {
        pair.linkedTo = null
        sender.announce(to, false)
        this.refresh(from, to)
      })
    } else if (old === null && receiver !== null && !isCut) {
      this.#later(pair, sender, this.random.float() * MAX_LINK_UP_MS, () => {
        pair.linkedTo = receiver
        pair.queue = { bytes: 0 }
        sender.announce(to, true)
      })
    }
  }

  conditionsOf(from: NodeId, to: NodeId): LinkConditions {
    return this.pair(from, to).conditions ?? this.conditions
  }

  /** Calls `done` once for each time the network delivers, once or twice, or once with false when it loses the message. */
  transport(from: NodeId, to: NodeId, done: (isDelivered: boolean) => void): void {
    const { dropRate, duplicateRate, delayMinMs, delayMaxMs } = this.conditionsOf(from, to)
    const isDropped = this.random.float() < dropRate || this.pair(from, to).isCut
    const copies = !isDropped && this.random.float() < duplicateRate ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = delayMinMs + this.random.float() * (delayMaxMs - delayMinMs)
      this.scheduler.schedule(Math.max(Math.round(delayMs * 1000), 1), () => done(!isDropped && !this.pair(from, to).isCut))
    }
  }

  #later(pair: Pair, owner: SimulatedNetwork, delayMs: number, fn: () => void): void {
    const { generation } = pair
    this.scheduler.schedule(delayMs * 1000, () => {
      if (pair.generation === generation) fn()
    }, owner)
  }
}

export class SimulatedNetwork implements Network, JoinNetwork {
  readonly address: string
  readonly #hub: SimulatedHub
  readonly #clock: SimulatedClock
  #self: NodeId
  #handlers: NetworkHandlers | null = null
  #isStopped = false
  #anonymous: ((bytes: Buffer, reply: (bytes: Uint8Array) => void) => void) | null = null

  constructor(hub: SimulatedHub, self: NodeId, clock: SimulatedClock, address: string) {
    this.#hub = hub
    this.#self = self
    this.#clock = clock
    this.address = address
  }

  get self(): NodeId {
    return this.#self
  }
  get isAlive(): boolean {
    return this.#clock.isAlive && !this.#isStopped
  }
  get isRunning(): boolean {
    return this.isAlive && this.#handlers !== null
  }

  /** The number this node was given when it joined. REQUIRES: `self` is 0 so far; called before `start`. */
  joined(self: NodeId): void {
    assert(this.#self === 0 && self > 0 && this.#handlers === null, "a node is given its number once, before it starts")
    this.#self = self
  }

  start(handlers: NetworkHandlers): void {
    assert(this.#handlers === null, "start is called once")
    this.#handlers = handlers
    this.#hub.changed(this)
  }

  send(to: NodeId, lane: Lane, bytes: Uint8Array): boolean {
    const hub = this.#hub
    assert(to !== this.#self, "no message to oneself")
    if (!this.isRunning) return false
    const pair = hub.pair(this.#self, to)
    const receiver = pair.linkedTo
    const { queue } = pair
    if (receiver === null || queue.bytes + bytes.length > hub.maxQueueBytes) return false
    const copy = Buffer.from(bytes)
    let isQueued = true
    queue.bytes += copy.length
    hub.transport(this.#self, to, (isDelivered) => {
      if (isQueued) queue.bytes -= copy.length
      isQueued = false
      if (isDelivered) receiver.deliver(this.#self, lane, copy)
    })
    return true
  }

  deliver(from: NodeId, lane: Lane, bytes: Uint8Array): void {
    if (!this.isRunning) return
    this.#hub.trace?.record(this.#hub.scheduler.nowMicros, `message ${from}>${this.#self} lane ${lane}`, bytes)
    const own = Buffer.from(bytes)
    this.#handlers?.message(from, lane, own)
    own.fill(0xdd)
  }

  announce(peer: NodeId, up: boolean): void {
    this.#hub.trace?.record(this.#hub.scheduler.nowMicros, `link ${this.#self}>${peer} ${up ? "up" : "down"}`)
    this.#handlers?.link(peer, up)
  }

  requestByAddress(address: string, port: number, bytes: Uint8Array, timeoutMs: number): Promise<Buffer> {
    const hub = this.#hub
    const target = `${address}:${port}`
    const copy = Buffer.from(bytes)
    return new Promise((resolve, reject) => {
      this.#clock.after(timeoutMs, () => reject(new Error(`request to ${target}: no answer in time`)))
      const other = hub.instanceAt(target)
      if (other === null) return
      hub.transport(this.#self, other.self, (isAsked) => {
        if (!isAsked) return
        other.answer(copy, (answer) => {
          const answerCopy = Buffer.from(answer)
          hub.transport(other.self, this.#self, (isAnswered) => {
            if (isAnswered && this.isAlive) resolve(answerCopy)
          })
        })
      })
    })
  }

  onAnonymous(fn: (bytes: Buffer, reply: (bytes: Uint8Array) => void) => void): void {
    this.#anonymous = fn
  }

  answer(bytes: Buffer, reply: (bytes: Uint8Array) => void): void {
    if (!this.isAlive || this.#anonymous === null) return
    const own = Buffer.from(bytes)
    this.#anonymous(own, reply)
    own.fill(0xdd)
  }

  /** The process is gone without a word: call after its clock was killed. */
  kill(): void {
    this.#hub.changed(this)
  }

  stop(): Promise<void> {
    this.#isStopped = true
    this.#hub.changed(this)
    return Promise.resolve()
  }
}
