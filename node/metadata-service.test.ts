import { afterEach, expect, test } from "vitest"
import { StaleSchemaError } from "../coordinator/cluster/cluster-metadata.ts"
import { MessageRouter } from "../coordinator/messages.ts"
import { type MetadataState, applyChange, emptyState } from "../coordinator/cluster/snapshot.ts"
import type { NodeDescriptor } from "../data/topology.ts"
import { type Simulation, createSimulation } from "../runtime/simulated/simulation.ts"
import { Heartbeats } from "./heartbeats.ts"
import { MetadataService } from "./metadata-service.ts"

interface Member {
  readonly metadata: MetadataService
  readonly heartbeats: Heartbeats
  readonly persisted: MetadataState[]
}

const open: Member[] = []
afterEach(() => {
  for (const member of open.splice(0)) member.heartbeats.stop()
})

function descriptor(node: number): NodeDescriptor {
  return {
    node, hostId: `00000000-0000-4000-8000-00000000000${node}`, state: "normal", dataCenter: "dc1", rack: "r1", listenAddress: `10.0.0.${node}`, listenPort: 7000,
    nativeAddress: `10.0.0.${node}`, nativePort: 9042, releaseVersion: "5.0.6", tokens: [String(node * 1000)], epoch: 0,
  }
}

function begin(nodes: number): MetadataState {
  let state = emptyState("test")
  for (let node = 1; node <= nodes; node++) state = applyChange(state, { kind: "node", node: descriptor(node) })
  return state
}

function member(simulation: Simulation, node: number, state: MetadataState, leader = 1): Member {
  const { network, clock } = simulation.start(node)
  const router: MessageRouter = new MessageRouter(network, () => metadata.current().epoch)
  const persisted: MetadataState[] = []
  const metadata: MetadataService = new MetadataService({
    state, leader, router, clock, system: [], isAlive: (peer) => heartbeats.isAlive(peer),
    persist: async (next) => {
      await clock.sleep(2)
      persisted.push(next)
    },
  })
  const heartbeats = new Heartbeats(router, clock, () => [...metadata.current().nodes.keys()].filter((peer) => peer !== node), {
    up: () => undefined, down: () => undefined, epochSeen: (peer, epoch) => metadata.epochSeen(peer, epoch),
  })
  metadata.subscribe(() => heartbeats.beat())
  router.start()
  heartbeats.start()
  const made = { metadata, heartbeats, persisted }
  open.push(made)
  return made
}

function keyspace(state: MetadataState, name: string): MetadataState["schema"] {
  return { ...state.schema, keyspaces: [...state.schema.keyspaces, { name, durableWrites: true, replication: { class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: "3" }, tables: [], types: [] }] }
}

test("a follower's proposal is ordered by the leader, durable before it counts, and applied everywhere", async () => {
  const simulation = createSimulation(1)
  const members = [1, 2, 3].map((node) => member(simulation, node, begin(3)))
  await simulation.run(() => members.every(({ heartbeats }) => [1, 2, 3].every((node) => heartbeats.isAlive(node))), { maxMs: 10_000 })
  const second = members[1] as Member
  const before = second.metadata.current()
  let epoch = 0
  void second.metadata.propose({ kind: "schema", expected: before.schemaEpoch, schema: keyspace(second.metadata.state(), "a") }).then((value) => (epoch = value))
  await simulation.run(() => epoch > 0, { maxMs: 10_000 })
  expect(epoch).toBe(before.epoch + 1)
  expect(second.metadata.current().schema.keyspaces.has("a")).toBe(true)
  expect((members[0] as Member).persisted.at(-1)?.epoch).toBe(epoch)
  let all: boolean | null = null
  void second.metadata.waitForAll(epoch, Infinity).then((value) => (all = value))
  await simulation.run(() => all !== null, { maxMs: 10_000 })
  expect(all).toBe(true)
  for (const { metadata, persisted } of members) {
    expect(metadata.current().epoch).toBe(epoch)
    expect(persisted.at(-1)?.epoch).toBe(epoch)
  }
})

test("a node that hears first from one it has no link to asks the next that it hears", () => {
  const { clock } = createSimulation(3).start(2)
  const asked: number[] = []
  const send = (to: number): boolean => {
    asked.push(to)
    return to === 1
  }
  const router = new MessageRouter({ self: 2, send, start: () => undefined, stop: () => Promise.resolve() }, () => 2)
  const metadata = new MetadataService({ state: begin(2), leader: 1, router, clock, system: [], isAlive: () => true, persist: () => Promise.resolve() })
  metadata.epochSeen(3, 3)
  metadata.epochSeen(1, 3)
  expect(asked).toEqual([3, 1])
})

test("of two changes derived from one schema the second is refused as stale", async () => {
  const simulation = createSimulation(2)
  const members = [1, 2, 3].map((node) => member(simulation, node, begin(3)))
  await simulation.run(() => members.every(({ heartbeats }) => [1, 2, 3].every((node) => heartbeats.isAlive(node))), { maxMs: 10_000 })
  const outcomes: string[] = []
  for (const [name, { metadata }] of [["a", members[1] as Member], ["b", members[2] as Member]] as const) {
    metadata.propose({ kind: "schema", expected: metadata.current().schemaEpoch, schema: keyspace(metadata.state(), name) }).then(
      () => outcomes.push("made"),
      (error: unknown) => outcomes.push(error instanceof StaleSchemaError ? "stale" : String(error)),
    )
  }
  await simulation.run(() => outcomes.length === 2, { maxMs: 20_000 })
  expect(outcomes.sort()).toEqual(["made", "stale"])
})

test("a follower that was cut off catches up by itself", async () => {
  const simulation = createSimulation(3)
  const members = [1, 2, 3].map((node) => member(simulation, node, begin(3)))
  await simulation.run(() => members.every(({ heartbeats }) => [1, 2, 3].every((node) => heartbeats.isAlive(node))), { maxMs: 10_000 })
  simulation.hub.partition([1, 2], [3])
  const leader = members[0] as Member
  for (const name of ["a", "b", "c"]) {
    let made = false
    void leader.metadata.propose({ kind: "schema", expected: leader.metadata.current().schemaEpoch, schema: keyspace(leader.metadata.state(), name) }).then(() => (made = true))
    await simulation.run(() => made, { maxMs: 5000 })
  }
  const third = members[2] as Member
  expect(third.metadata.current().schema.keyspaces.size).toBe(0)
  simulation.hub.heal()
  await simulation.run(() => third.metadata.current().schema.keyspaces.size === 3, { maxMs: 10_000 })
  expect(third.persisted.at(-1)?.epoch).toBe(leader.metadata.current().epoch)
})

test("without its leader a proposal fails in time and nothing changes", async () => {
  const simulation = createSimulation(4)
  const follower = member(simulation, 2, begin(2))
  let failure: Error | null = null
  follower.metadata.propose({ kind: "truncate", table: 1 }).catch((error: unknown) => (failure = error as Error))
  await simulation.run(() => failure !== null, { maxMs: 20_000 })
  expect(String(failure)).toContain("did not answer in time")
  expect(follower.metadata.current().epoch).toBe(2)
})
