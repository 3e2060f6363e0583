import { afterEach, expect, test } from "vitest"
import { applyChange, emptyState } from "../coordinator/cluster/snapshot.ts"
import { SimulatedRandom } from "../runtime/simulated/simulated-random.ts"
import type { NodeConfig } from "./config.ts"
import { parseEndpoint } from "./config.ts"
import { schemaEvents, topologyEvents } from "./events.ts"
import { createLog } from "./log.ts"
import { beginCluster, isFirstSeed } from "./membership.ts"
import { buildSnapshot } from "../coordinator/cluster/snapshot.ts"
import { DEFAULT_STORAGE_SETTINGS } from "./storage-settings.ts"

const lines: string[] = []
afterEach(() => {
  lines.length = 0
})

const CONFIG: NodeConfig = {
  clusterName: "test", dataDirectory: "d", address: "127.0.0.1", broadcastAddress: "127.0.0.1", nativeAddress: "127.0.0.1", nativePort: 9042, listenPort: 7000, adminAddress: "127.0.0.1", adminPort: 7199,
  seeds: ["127.0.0.1:7000"], dataCenter: "dc1", rack: "r1", tokensPerNode: 16, testing: false, logLevel: "INFO", memtableSpaceBytes: 1, storage: DEFAULT_STORAGE_SETTINGS, autoSnapshot: false,
}

test("a cluster begins at its first seed only", () => {
  expect(isFirstSeed(CONFIG)).toBe(true)
  expect(isFirstSeed({ ...CONFIG, seeds: ["127.0.0.1"] })).toBe(true)
  expect(isFirstSeed({ ...CONFIG, seeds: ["127.0.0.1:7001"] })).toBe(false)
  expect(isFirstSeed({ ...CONFIG, seeds: ["127.0.0.2:7000", "127.0.0.1:7000"] })).toBe(false)
  expect(isFirstSeed({ ...CONFIG, address: "0.0.0.0", broadcastAddress: "10.0.0.9", seeds: ["10.0.0.9"] })).toBe(true)
})

test("the first node has number 1, its tokens, and leads", () => {
  const { self, leader, state } = beginCluster(CONFIG, "00000000-0000-4000-8000-000000000001", new SimulatedRandom(1))
  expect([self, leader, state.epoch]).toEqual([1, 1, 1])
  expect(new Set(state.nodes[0]?.tokens).size).toBe(16)
})

test("endpoints", () => {
  expect(parseEndpoint("10.0.0.1", 7000)).toEqual({ address: "10.0.0.1", port: 7000 })
  expect(parseEndpoint("node1:7001", 7000)).toEqual({ address: "node1", port: 7001 })
  for (const wrong of ["", ":7000", "a:0", "a:70000"]) expect(() => parseEndpoint(wrong, 7000)).toThrow(wrong)
})

test("events between snapshots: keyspaces created and dropped, nodes new and gone", () => {
  const first = beginCluster(CONFIG, "00000000-0000-4000-8000-000000000001", new SimulatedRandom(1)).state
  const keyspace = { name: "ks", durableWrites: true, replication: { class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: "1" }, tables: [], types: [] }
  const second = applyChange(first, { kind: "schema", expected: first.schemaEpoch, schema: { ...first.schema, keyspaces: [keyspace] } })
  const node = { ...(first.nodes[0] as (typeof first.nodes)[0]), node: 2, nativeAddress: "10.0.0.2" }
  const third = applyChange(second, { kind: "node", node })
  const [a, b, c] = [first, second, third].map((state) => buildSnapshot(state, [], null)) as [ReturnType<typeof buildSnapshot>, ReturnType<typeof buildSnapshot>, ReturnType<typeof buildSnapshot>]
  expect(schemaEvents(a, b)).toEqual([{ change: "CREATED", target: "KEYSPACE", keyspace: "ks", name: "" }])
  expect(schemaEvents(b, a)).toEqual([{ change: "DROPPED", target: "KEYSPACE", keyspace: "ks", name: "" }])
  expect(topologyEvents(b, c)).toEqual([{ kind: "topology", change: "NEW_NODE", address: "10.0.0.2", port: 9042 }])
  expect(topologyEvents(c, b)).toEqual([{ kind: "topology", change: "REMOVED_NODE", address: "10.0.0.2", port: 9042 }])
  expect(schemaEvents(b, c)).toEqual([])
  expect(buildSnapshot(emptyState("x"), [], null).nodes.size).toBe(0)
})

test("log lines have Cassandra's pattern and a least level", () => {
  const log = createLog("INFO", (line) => lines.push(line))
  log.debug("no")
  log.warn("Startup complete")
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^WARN {2}\[main\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - Startup complete\n$/)
})
