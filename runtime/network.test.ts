// One suite for the WebSocket network and the simulated one, then what each can do alone.
import * as net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import type { Clock } from "./clock.ts"
import type { JoinNetwork, Lane, Network, NodeId } from "./network.ts"
import { LANE } from "./network.ts"
import { AssertionError } from "./pure.ts"
import { frameOf } from "./real/network-frame.ts"
import { encodeHandshake } from "./real/network-handshake.ts"
import { RealClock } from "./real/real-clock.ts"
import { WsNetwork } from "./real/ws-network.ts"
import { Scheduler } from "./simulated/scheduler.ts"
import { SimulatedClock } from "./simulated/simulated-clock.ts"
import { CALM, SimulatedHub } from "./simulated/simulated-network.ts"
import { SimulatedRandom } from "./simulated/simulated-random.ts"
import { Trace } from "./simulated/trace.ts"

const MAX_QUEUE_BYTES = 200_000

class Node {
  readonly network: Network & JoinNetwork & { joined(self: NodeId): void }
  readonly port: number
  readonly address: string
  readonly received: string[] = []
  readonly links: string[] = []
  onMessage: ((from: NodeId, lane: Lane, bytes: Buffer) => void) | null = null

  constructor(network: Network & JoinNetwork & { joined(self: NodeId): void }, address: string, port: number) {
    this.network = network
    this.address = address
    this.port = port
  }

  start(): void {
    this.network.start({
      message: (from, lane, bytes) => {
        this.received.push(`${from}/${lane}:${bytes.length > 50 ? bytes.length : bytes.toString()}`)
        this.onMessage?.(from, lane, bytes)
      },
      link: (peer, up) => this.links.push(`${peer} ${up ? "up" : "down"}`),
    })
  }
  send(to: NodeId, text: string, lane: Lane = LANE.data): boolean {
    return this.network.send(to, lane, Buffer.from(text))
  }
  isUp(peer: NodeId): boolean {
    return this.links.findLast((line) => line.startsWith(`${peer} `)) === `${peer} up`
  }
}

/** A cluster of nodes 1 to `count`, started unless told, and how to wait. */
interface Cluster {
  readonly nodes: readonly Node[]
  until(condition: () => boolean): Promise<void>
  /** A node without a number. */
  outsider(): Promise<Node>
  cut(a: NodeId, b: NodeId): void
  heal(): void
  stop(): Promise<void>
}

interface RealCluster extends Cluster {
  readonly networks: readonly WsNetwork[]
  readonly log: readonly string[]
  create(self: NodeId, overrides?: { clusterName?: string; incarnation?: number; listenPort?: number; clock?: Clock; maxQueueBytes?: number }): WsNetwork
}

async function realCluster(count: number): Promise<RealCluster> {
  const log: string[] = []
  const all: WsNetwork[] = []
  const create: RealCluster["create"] = (self, overrides = {}) => {
    const network = new WsNetwork({
      self, hostId: `host-${all.length}`, clusterName: "test", incarnation: 1, listenAddress: "127.0.0.1", listenPort: 0,
      maxQueueBytes: MAX_QUEUE_BYTES, clock: new RealClock(), log: (line) => log.push(line), isTesting: true, ...overrides,
    })
    all.push(network)
    return network
  }
  const networks = Array.from({ length: count }, (_, i) => create(i + 1))
  const ports = await Promise.all(networks.map((network) => network.listen()))
  const nodes = networks.map((network, i) => new Node(network, "127.0.0.1", ports[i]!.port))
  const peers = nodes.map((node, i) => ({ node: i + 1, address: node.address, port: node.port }))
  for (const network of networks) network.setPeers(peers)
  for (const node of nodes) node.start()
  return {
    nodes, networks, log, create,
    async until(condition) {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
    },
    async outsider() {
      const network = create(0)
      return new Node(network, "127.0.0.1", (await network.listen()).port)
    },
    cut: (a, b) => networks[a - 1]!.cut(b),
    heal() {
      for (const network of networks) network.restoreAll()
    },
    async stop() {
      await Promise.all(all.map((network) => network.stop()))
    },
  }
}

interface SimulatedCluster extends Cluster {
  readonly hub: SimulatedHub
  readonly clocks: readonly SimulatedClock[]
  readonly trace: Trace
}

function simulatedCluster(count: number, seed = 1): Promise<SimulatedCluster> {
  const scheduler = new Scheduler()
  const trace = new Trace({ keepLines: true })
  const hub = new SimulatedHub({ scheduler, random: new SimulatedRandom(seed), maxQueueBytes: MAX_QUEUE_BYTES, trace })
  const clocks = Array.from({ length: count }, () => new SimulatedClock({ scheduler }))
  const nodes = clocks.map((clock, i) => new Node(hub.network(i + 1, { clock }), `10.0.0.${i + 1}`, 7000))
  for (const node of nodes) node.start()
  return Promise.resolve({
    nodes, hub, clocks, trace,
    until: (condition) => scheduler.run(condition),
    outsider: () => Promise.resolve(new Node(hub.network(0, { address: "10.0.0.99" }), "10.0.0.99", 7000)),
    cut: (a, b) => hub.cut(a, b),
    heal: () => hub.heal(),
    stop: async () => void (await Promise.all(nodes.map((node) => node.network.stop()))),
  })
}

const running: Cluster[] = []
afterEach(async () => {
  for (const cluster of running.splice(0)) await cluster.stop()
})
async function linked<C extends Cluster>(cluster: Promise<C>): Promise<C> {
  const made = await cluster
  running.push(made)
  await made.until(() => made.nodes.every((node, i) => made.nodes.every((_, j) => i === j || node.isUp(j + 1))))
  return made
}

const kinds: readonly (readonly [string, (count: number) => Promise<Cluster>])[] = [["WebSocket", realCluster], ["simulated", simulatedCluster]]
describe.each(kinds)("%s network", (_name, create) => {
  it("brings messages from each node to each other, with lane and sender", async () => {
    const { nodes, until } = await linked(create(3))
    for (const from of nodes) {
      for (const to of nodes) {
        if (from !== to) for (const lane of [LANE.control, LANE.data, LANE.bulk]) expect(from.send(to.network.self, `to ${to.network.self}`, lane)).toBe(true)
      }
    }
    await until(() => nodes.every((node) => node.received.length === 6))
    expect(nodes[1]!.received.toSorted()).toEqual(["1/0:to 2", "1/1:to 2", "1/2:to 2", "3/0:to 2", "3/1:to 2", "3/2:to 2"])
  })

  it("copies the bytes: the caller may reuse them at once", async () => {
    const { nodes, until } = await linked(create(2))
    const bytes = Buffer.from("a")
    for (const letter of ["a", "b", "c"]) {
      bytes.write(letter)
      nodes[0]!.network.send(2, LANE.data, bytes)
    }
    bytes.write("x")
    await until(() => nodes[1]!.received.length === 3)
    expect(nodes[1]!.received.toSorted()).toEqual(["1/1:a", "1/1:b", "1/1:c"])
  })

  it("answers from within the handler", async () => {
    const { nodes, until } = await linked(create(2))
    nodes[1]!.onMessage = (from, lane, bytes) => nodes[1]!.network.send(from, lane, bytes)
    for (let i = 0; i < 100; i++) nodes[0]!.send(2, `m${i}`)
    await until(() => nodes[0]!.received.length === 100)
    expect(new Set(nodes[0]!.received).size).toBe(100)
  })

  it("carries empty and large messages", async () => {
    const { nodes, until } = await linked(create(2))
    for (const size of [0, 1, 65_523, 65_524, 65_525, 65_536, 150_000]) {
      await until(() => nodes[0]!.network.send(2, LANE.data, Buffer.alloc(size, size)))
      nodes[1]!.onMessage = (_from, _lane, bytes) => expect(bytes.equals(Buffer.alloc(size, size))).toBe(true)
      const before = nodes[1]!.received.length
      await until(() => nodes[1]!.received.length > before)
    }
  })

  it("refuses what is over the bound, and takes messages again when the queue has gone", async () => {
    const { nodes, until } = await linked(create(2))
    const message = Buffer.alloc(10_000)
    expect(nodes[0]!.network.send(2, LANE.data, Buffer.alloc(MAX_QUEUE_BYTES + 1))).toBe(false)
    let taken = 0
    while (nodes[0]!.network.send(2, LANE.data, message)) taken++
    expect(taken).toBeGreaterThan(5)
    expect(taken).toBeLessThanOrEqual(MAX_QUEUE_BYTES / message.length)
    await until(() => nodes[1]!.received.length === taken)
    await until(() => nodes[0]!.network.send(2, LANE.data, message))
  })

  it("has no link to a node that is not there", async () => {
    const { nodes } = await linked(create(1))
    expect(nodes[0]!.send(2, "x")).toBe(false)
    expect(nodes[0]!.links).toEqual([])
  })

  it("takes a message to oneself for a mistake", async () => {
    const { nodes } = await linked(create(1))
    expect(() => nodes[0]!.send(1, "x")).toThrow(AssertionError)
  })

  it("tells when a peer is gone, and sends nothing more", async () => {
    const { nodes, until } = await linked(create(3))
    await nodes[1]!.network.stop()
    await until(() => !nodes[0]!.isUp(2) && !nodes[2]!.isUp(2))
    expect(nodes[0]!.send(2, "x")).toBe(false)
    expect(nodes[0]!.send(3, "still")).toBe(true)
    await until(() => nodes[2]!.received.length === 1)
    expect(nodes[1]!.send(1, "after stop")).toBe(false)
  })

  it("loses in silence what is sent over a cut, both ways, until it is restored", async () => {
    const { nodes, until, cut, heal } = await linked(create(3))
    cut(1, 2)
    nodes[0]!.send(2, "lost")
    nodes[1]!.send(1, "lost too")
    nodes[0]!.send(3, "through")
    nodes[1]!.send(3, "through")
    await until(() => nodes[2]!.received.length === 2)
    heal()
    await until(() => nodes[0]!.isUp(2) && nodes[1]!.isUp(1))
    nodes[0]!.send(2, "after")
    nodes[1]!.send(1, "after")
    await until(() => nodes[0]!.received.length > 0 && nodes[1]!.received.length > 0)
    expect(nodes[0]!.received).toEqual(["2/1:after"])
    expect(nodes[1]!.received).toEqual(["1/1:after"])
  })

  it("lets a node without a number ask by address", async () => {
    const cluster = await linked(create(1))
    const outsider = await cluster.outsider()
    cluster.nodes[0]!.network.onAnonymous((bytes, reply) => reply(Buffer.from(`you said ${bytes.toString()}`)))
    let answer = ""
    const ask = async (): Promise<void> => {
      const bytes = Buffer.from("hello")
      const asked = outsider.network.requestByAddress(cluster.nodes[0]!.address, cluster.nodes[0]!.port, bytes, 5000)
      answer = (await asked).toString()
    }
    void ask()
    await cluster.until(() => answer !== "")
    expect(answer).toBe("you said hello")
    outsider.network.joined(2)
    expect(outsider.network.self).toBe(2)
    await outsider.network.stop()
  })

  it("gives up on an address that does not answer", async () => {
    const cluster = await linked(create(1))
    const outsider = await cluster.outsider()
    // It takes questions, but has no answer.
    cluster.nodes[0]!.network.onAnonymous(() => {})
    const failures: string[] = []
    const ask = async (port: number): Promise<void> => {
      try {
        await outsider.network.requestByAddress(cluster.nodes[0]!.address, port, Buffer.from("?"), 30)
      } catch (error) {
        failures.push((error as Error).message)
      }
    }
    void ask(cluster.nodes[0]!.port)
    void ask(1)
    await cluster.until(() => failures.length === 2)
    for (const failure of failures) expect(failure).toMatch(/^request to .+: (no answer in time|ECONNREFUSED)$/)
    await outsider.network.stop()
  })
})

describe("WebSocket network", () => {
  it("refuses a node of another cluster, and says so on both sides", async () => {
    const cluster = await linked(realCluster(1))
    const other = cluster.create(2, { clusterName: "other" })
    other.setPeers([{ node: 1, address: "127.0.0.1", port: cluster.nodes[0]!.port }])
    other.start({ message: () => {}, link: () => expect.fail("no link") })
    await cluster.until(() => cluster.log.length >= 2)
    expect(cluster.log.toSorted().map((line) => line.replaceAll(/\d{4,}/g, "PORT"))).toEqual([
      'connection from 127.0.0.1:PORT refused: cluster name "other", ours is "test"',
      'link to node 1 at 127.0.0.1:PORT: refused by the other side: cluster name "other", ours is "test"',
    ])
  })

  it("does not link to a node of another number than it was told, and survives what is no handshake", async () => {
    const cluster = await linked(realCluster(1))
    const confused = cluster.create(2)
    confused.setPeers([{ node: 7, address: "127.0.0.1", port: cluster.nodes[0]!.port }])
    confused.start({ message: () => {}, link: () => expect.fail("no link") })
    await cluster.until(() => cluster.log.some((line) => line.includes("the node there has number 1")))
    const socket = net.connect(cluster.nodes[0]!.port, "127.0.0.1")
    socket.end("nonsense\r\n\r\n")
    await new Promise((resolve) => socket.once("close", resolve).resume())
  })

  it("refuses an older process with the number of a newer one", async () => {
    const cluster = await linked(realCluster(1))
    const peers = [{ node: 1, address: "127.0.0.1", port: cluster.nodes[0]!.port }]
    let up = 0
    const newer = cluster.create(2, { incarnation: 1_735_689_600_000_456 })
    newer.setPeers(peers)
    newer.start({ message: () => {}, link: () => up++ })
    await cluster.until(() => up === 1)
    const older = cluster.create(2, { incarnation: 1_735_689_600_000_455 })
    older.setPeers(peers)
    older.start({ message: () => {}, link: () => expect.fail("no link") })
    await cluster.until(() => cluster.log.some((line) => line.includes("has been started anew")))
  })

  it("connects again when a peer comes back, at the same or another address", async () => {
    const cluster = await linked(realCluster(2))
    const [one, two] = cluster.nodes as [Node, Node]
    await two.network.stop()
    await cluster.until(() => !one.isUp(2))
    const again = cluster.create(2, { incarnation: 2, listenPort: two.port })
    await again.listen()
    again.start({ message: () => {}, link: () => {} })
    await cluster.until(() => one.isUp(2))
    const moved = cluster.create(2, { incarnation: 3 })
    const { port } = await moved.listen()
    const received: string[] = []
    moved.start({ message: (_from, _lane, bytes) => received.push(bytes.toString()), link: () => {} })
    cluster.networks[0]!.setPeers([{ node: 2, address: "127.0.0.1", port }])
    expect(one.isUp(2)).toBe(false)
    await cluster.until(() => one.isUp(2))
    one.send(2, "moved")
    await cluster.until(() => received.length > 0)
    cluster.networks[0]!.setPeers([])
    expect(one.send(2, "x")).toBe(false)
    expect(one.links.slice(-1)).toEqual(["2 down"])
  })

  it("lets control messages overtake what waits in the other lanes, and bulk not starve", async () => {
    const { nodes, until } = await linked(realCluster(2))
    const [one, two] = nodes as [Node, Node]
    for (let i = 0; i < 15; i++) one.network.send(2, LANE.data, Buffer.alloc(10_000))
    for (let i = 0; i < 15; i++) one.network.send(2, LANE.bulk, Buffer.alloc(10_001))
    one.send(2, "urgent", LANE.control)
    await until(() => two.received.length === 31)
    expect(two.received[0]).toBe("1/0:urgent")
    expect(two.received.indexOf("1/2:10001")).toBeLessThan(two.received.lastIndexOf("1/1:10000"))
  })

  it("goes on sending what did not fit into the socket's window", async () => {
    const cluster = await linked(realCluster(0))
    const nodes: Node[] = []
    for (const self of [1, 2]) {
      const network = cluster.create(self, { maxQueueBytes: 20_000_000 })
      nodes.push(new Node(network, "127.0.0.1", (await network.listen()).port))
    }
    for (const node of nodes) {
      ;(node.network as WsNetwork).setPeers(nodes.map(({ network, address, port }) => ({ node: network.self, address, port })))
      node.start()
    }
    await cluster.until(() => nodes[0]!.isUp(2))
    for (let i = 0; i < 150; i++) expect(nodes[0]!.network.send(2, LANE.data, Buffer.alloc(100_000))).toBe(true)
    await cluster.until(() => nodes[1]!.received.length === 150)
  })

  it("delays both directions", async () => {
    const { nodes, until, networks } = await linked(realCluster(2))
    networks[0]!.delay(2, 20)
    const order: string[] = []
    nodes[1]!.onMessage = (from, lane, bytes) => {
      order.push("there")
      nodes[1]!.network.send(from, lane, bytes)
    }
    nodes[0]!.onMessage = () => order.push("back")
    const start = performance.now()
    nodes[0]!.send(2, "x")
    await until(() => order.length === 2)
    expect(performance.now() - start).toBeGreaterThanOrEqual(40)
    networks[0]!.restore(2)
  })

  it("gives up a connection that answers no ping, and dials again", async () => {
    const clock = new RealClock()
    const fast: Clock = {
      nowMicros: () => clock.nowMicros(), monotonicMs: () => clock.monotonicMs(), cancel: (timer) => clock.cancel(timer),
      atTurnEnd: (fn) => clock.atTurnEnd(fn), sleep: (delayMs) => clock.sleep(delayMs / 100), after: (delayMs, fn) => clock.after(delayMs / 100, fn),
    }
    // A node whose process is stopped: the connection stands, and nothing comes.
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, autoPong: false })
    const answer = encodeHandshake({ clusterName: "test", self: 2, hostId: "host 2", incarnation: 1 })
    let dials = 0
    server.on("connection", (socket) => {
      dials++
      socket.once("message", () => socket.send(answer))
    })
    await new Promise((resolve) => server.once("listening", resolve))
    const cluster = await linked(realCluster(0))
    const node = new Node(cluster.create(1, { clock: fast }), "", 0)
    ;(node.network as WsNetwork).setPeers([{ node: 2, address: "127.0.0.1", port: (server.address() as net.AddressInfo).port }])
    node.start()
    await cluster.until(() => dials === 2)
    expect(node.links.slice(0, 2)).toEqual(["2 up", "2 down"])
    expect(cluster.log.join()).toContain("no answer to 4 pings")
    await node.network.stop()
    await new Promise((resolve) => server.close(resolve))
  })

  it("closes a connection with a damaged frame", async () => {
    const cluster = await linked(realCluster(1))
    const socket = new WebSocket(`ws://127.0.0.1:${cluster.nodes[0]!.port}`)
    const closed = new Promise((resolve) => socket.once("close", resolve))
    socket.once("open", () => socket.send(encodeHandshake({ clusterName: "test", self: 2, hostId: "host 2", incarnation: 1 })))
    socket.once("message", () => {
      const frame = frameOf(LANE.data, Buffer.from("hello"))
      frame[9]! ^= 1
      socket.send(frame)
    })
    await closed
    expect(cluster.log.join()).toMatch(/\(node 2\) closed: wrong CRC over a frame of 17 bytes/)
    expect(cluster.nodes[0]!.received).toEqual([])
  })

  it("allows faults in tests only", () => {
    const network = new WsNetwork({
      self: 1, hostId: "h", clusterName: "c", incarnation: 1, listenAddress: "127.0.0.1", listenPort: 0, maxQueueBytes: 1, clock: new RealClock(),
      isTesting: false,
    })
    expect(() => network.cut(2)).toThrow(AssertionError)
  })

  it("rejects an address in use", async () => {
    const cluster = await linked(realCluster(1))
    await expect(cluster.create(2, { listenPort: cluster.nodes[0]!.port }).listen()).rejects.toMatchObject({ code: "EADDRINUSE" })
  })
})

describe("simulated network", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => `m${i}`)

  it("drops its share", async () => {
    const { nodes, hub } = await linked(simulatedCluster(2))
    hub.conditions = { ...CALM, dropRate: 0.3 }
    for (const text of hundred) nodes[0]!.send(2, text)
    await hub.scheduler.run(1000)
    expect(nodes[1]!.received.length).toBeGreaterThan(50)
    expect(nodes[1]!.received.length).toBeLessThan(90)
  })

  it("duplicates its share", async () => {
    const { nodes, hub } = await linked(simulatedCluster(2))
    hub.setConditions(1, 2, { ...CALM, duplicateRate: 0.3 })
    for (const text of hundred) nodes[0]!.send(2, text)
    await hub.scheduler.run(1000)
    expect(nodes[1]!.received.length).toBeGreaterThan(110)
    expect(new Set(nodes[1]!.received).size).toBe(100)
  })

  it("delays and so reorders", async () => {
    const { nodes, hub } = await linked(simulatedCluster(2))
    hub.conditions = { ...CALM, delayMinMs: 5, delayMaxMs: 50 }
    const start = hub.scheduler.nowMicros
    const delays: number[] = []
    nodes[1]!.onMessage = () => delays.push((hub.scheduler.nowMicros - start) / 1000)
    for (const text of hundred) nodes[0]!.send(2, text)
    await hub.scheduler.run(1000)
    expect(delays.every((ms) => ms >= 5 && ms <= 50)).toBe(true)
    const order = nodes[1]!.received.map((text) => Number(text.slice(5)))
    expect(order).not.toEqual(order.toSorted((a, b) => a - b))
    expect(order.length).toBe(100)
  })

  it("falls into parts and heals: links go down after a while and come up again", async () => {
    const { nodes, hub, until } = await linked(simulatedCluster(3))
    hub.partition([1], [2, 3])
    expect(nodes[0]!.send(2, "lost")).toBe(true)
    expect(nodes[1]!.send(3, "within")).toBe(true)
    await until(() => !nodes[0]!.isUp(2) && !nodes[2]!.isUp(1))
    expect(nodes[0]!.send(2, "no link")).toBe(false)
    expect(nodes[1]!.isUp(3)).toBe(true)
    hub.heal()
    await until(() => nodes[0]!.isUp(2) && nodes[0]!.isUp(3) && nodes[1]!.isUp(1) && nodes[2]!.isUp(1))
    expect(nodes[1]!.received).toEqual([])
    expect(nodes[2]!.received).toEqual(["2/1:within"])
  })

  it("keeps links over a short cut", async () => {
    const { nodes, hub } = await linked(simulatedCluster(2))
    hub.cut(1, 2)
    await hub.scheduler.run(1000)
    hub.heal()
    await hub.scheduler.run(20_000)
    expect(nodes[0]!.links).toEqual(["2 up"])
  })

  it("loses one direction only, and the link with it", async () => {
    const { nodes, hub, until } = await linked(simulatedCluster(2))
    hub.cutOneWay(1, 2)
    nodes[0]!.send(2, "lost")
    nodes[1]!.send(1, "through")
    await until(() => nodes[0]!.received.length === 1)
    await until(() => !nodes[0]!.isUp(2) && !nodes[1]!.isUp(1))
    expect(nodes[1]!.received).toEqual([])
  })

  it("brings a new process nothing that was meant for the old one", async () => {
    const { nodes, hub, clocks, until } = await linked(simulatedCluster(2))
    hub.conditions = { ...CALM, delayMinMs: 100, delayMaxMs: 100 }
    nodes[0]!.send(2, "for the old one")
    clocks[1]!.kill()
    const again = new Node(hub.network(2), "10.0.0.2", 7000)
    again.start()
    await until(() => nodes[0]!.links.length === 3 && again.isUp(1))
    expect(nodes[0]!.links).toEqual(["2 up", "2 down", "2 up"])
    nodes[0]!.send(2, "for the new one")
    await hub.scheduler.run(1000)
    expect(nodes[1]!.received).toEqual([])
    expect(again.received).toEqual(["1/1:for the new one"])
  })

  it("overwrites the bytes of a message after its handler", async () => {
    const { nodes, until } = await linked(simulatedCluster(2))
    let kept: Buffer = Buffer.alloc(0)
    nodes[1]!.onMessage = (_from, _lane, bytes) => {
      kept = bytes
    }
    nodes[0]!.send(2, "abc")
    await until(() => kept.length > 0)
    expect(kept.toString("hex")).toBe("dddddd")
  })

  it("does the same for the same seed, and else for another", async () => {
    const runOnce = async (seed: number): Promise<string> => {
      const { nodes, hub, trace } = await linked(simulatedCluster(3, seed))
      hub.conditions = { delayMinMs: 0, delayMaxMs: 20, dropRate: 0.1, duplicateRate: 0.1 }
      for (const text of hundred) for (const to of [2, 3]) nodes[0]!.send(to, text)
      await hub.scheduler.run(1000)
      return trace.hash()
    }
    expect(await runOnce(5)).toBe(await runOnce(5))
    expect(await runOnce(5)).not.toBe(await runOnce(6))
  })
})
