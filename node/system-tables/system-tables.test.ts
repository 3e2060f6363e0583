import { expect, test } from "vitest"
import { buildSnapshot, emptyState } from "../../coordinator/cluster/snapshot.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import { visitMutation } from "../../data/mutation.ts"
import { partitionKeyValues } from "../../data/partition-key.ts"
import { NO_LIMIT } from "../../data/read-command.ts"
import type { Row } from "../../data/row.ts"
import { decodeClustering, decodeRow } from "../../data/row-format.ts"
import type { NodeDescriptor } from "../../data/topology.ts"
import { FULL_RANGE } from "../../data/token.ts"
import { decodeValue } from "../../data/types/type-operations.ts"
import { nativeType } from "../../data/types/type-name.ts"
import type { VirtualTable } from "../../cql/virtual-table.ts"
import { historyMutation } from "./compaction-history.ts"
import { createVirtualTables } from "./create-virtual-tables.ts"
import { systemKeyspaces } from "./system-keyspaces.ts"
import type { SystemSource } from "./system-source.ts"

function node(number: number, over: Partial<NodeDescriptor> = {}): NodeDescriptor {
  return {
    node: number, hostId: `0000000${number}-0000-4000-8000-000000000000`, state: "normal", dataCenter: "dc1", rack: `rack${number}`,
    listenAddress: `127.0.0.${number}`, listenPort: 7000, nativeAddress: `127.0.0.${number}`, nativePort: 9042, releaseVersion: "0.1.0",
    tokens: [String(number), `-${number}`], epoch: number, ...over,
  }
}

function source(nodes: readonly NodeDescriptor[], over: Partial<SystemSource> = {}): SystemSource {
  const snapshot = buildSnapshot({ ...emptyState("Test Cluster"), nodes }, systemKeyspaces(), null)
  return {
    snapshot: () => snapshot, self: 1, liveness: { isAlive: () => true }, generation: 1234, clients: () => [], settings: () => [],
    stats: () => ({ memtableRows: 0, memtableBytes: 0, sstables: 0, diskBytes: 0 }), compactions: () => [], activity: null, ...over,
  }
}

/** Every row as an object of decoded values; collections of several cells as arrays of their paths. */
function rowsOf(table: VirtualTable): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = []
  let keyValues: Record<string, unknown> = {}
  const { schema } = table
  const sink: RowSink = {
    partition(_token, key) {
      const values = partitionKeyValues(schema, key)
      keyValues = Object.fromEntries(schema.partitionKey.map((column, index) => [column.name, decodeValue(column.type, values[index]!)]))
    },
    rangeTombstone() {},
    row(bytes, from, to) {
      const row = decodeRow(new ByteReader(bytes, from, to))
      const clustering = decodeClustering(row.clustering)
      const result: Record<string, unknown> = { ...keyValues }
      schema.clustering.forEach((column, index) => (result[column.name] = decodeValue(column.type, clustering[index]!)))
      for (const cell of row.cells) {
        const column = schema.columnById[cell.column]!
        if (cell.path === null) result[column.name] = decodeValue(column.type, Buffer.from(cell.value!))
        else result[column.name] = [...((result[column.name] as unknown[] | undefined) ?? []), Buffer.from(cell.path).toString()]
      }
      rows.push(result)
      return true
    },
    partitionEnd() {},
  }
  void table.read({ table: schema, nowSeconds: 0, target: { kind: "range", range: FULL_RANGE }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null }, sink)
  return rows
}

function table(name: string, of: SystemSource): VirtualTable {
  const [keyspace, tableName] = name.split(".")
  return [...createVirtualTables(of).values()].find(({ schema }) => schema.keyspace === keyspace && schema.name === tableName)!
}

test("system tables have the ids that Cassandra gives its own", () => {
  const uuids = new Map(systemKeyspaces().flatMap((keyspace) => [...keyspace.tables.values()].map((each) => [`${each.keyspace}.${each.name}`, each.descriptor.uuid])))
  expect(uuids.get("system.local")).toBe("7ad54392-bcdd-35a6-8417-4e047860b377")
  expect(uuids.get("system.peers")).toBe("37f71aca-7dc2-383b-a706-72528af04d4f")
  expect(uuids.get("system_schema.keyspaces")).toBe("abac5682-dea6-31c5-b535-b3d6cffd0fb6")
})

test("no table id occurs twice and only tracing, the history of compactions, the batch log and Paxos are stored", () => {
  const tables = systemKeyspaces().flatMap((keyspace) => [...keyspace.tables.values()])
  expect(new Set(tables.map(({ id }) => id)).size).toBe(tables.length)
  expect(tables.filter(({ kind }) => kind === "table").map(({ name }) => name)).toEqual(["compaction_history", "batches", "paxos", "sessions", "events"])
})

test("system.local tells what drivers need", () => {
  const [row] = rowsOf(table("system.local", source([node(1), node(2)])))
  expect(row).toMatchObject({
    key: "local", bootstrapped: "COMPLETED", cluster_name: "Test Cluster", cql_version: "3.4.7", data_center: "dc1", rack: "rack1",
    host_id: "00000001-0000-4000-8000-000000000000", rpc_address: "127.0.0.1", rpc_port: 9042, native_protocol_version: "5",
    partitioner: "org.apache.cassandra.dht.Murmur3Partitioner", tokens: ["-1", "1"], gossip_generation: 1234,
  })
  expect(row!["release_version"]).toMatch(/^5\./)
  expect(row!["schema_version"]).toMatch(/^[0-9a-f-]{36}$/)
})

test("peers list every other node that owns tokens, and never the node itself", () => {
  const of = source([node(1), node(2), node(3, { state: "joining" }), node(4, { state: "leaving" })])
  expect(rowsOf(table("system.peers", of)).map((row) => row["peer"]).sort()).toEqual(["127.0.0.2", "127.0.0.4"])
  expect(rowsOf(table("system.peers_v2", of)).map((row) => row["native_port"])).toEqual([9042, 9042])
})

test("nodes that share an address are in peers_v2 only", () => {
  const sharing = [1, 2, 3].map((number) => node(number, { listenAddress: "127.0.0.1", nativeAddress: "127.0.0.1", listenPort: 7000 + number, nativePort: 9041 + number }))
  const of = source(sharing)
  expect(rowsOf(table("system.peers", of))).toEqual([])
  expect(rowsOf(table("system.peers_v2", of)).map((row) => row["native_port"])).toEqual([9043, 9044])
})

test("system_schema describes the system tables' own columns", () => {
  const of = source([node(1)])
  const columns = rowsOf(table("system_schema.columns", of))
  expect(columns.find((row) => row["table_name"] === "local" && row["column_name"] === "tokens")).toMatchObject({ keyspace_name: "system", kind: "regular", position: -1, type: "set<text>" })
  expect(columns.find((row) => row["table_name"] === "columns" && row["column_name"] === "column_name")).toMatchObject({ kind: "clustering", position: 1, clustering_order: "asc" })
  expect(columns.some((row) => row["keyspace_name"] === "system_views")).toBe(false)
  const tables = rowsOf(table("system_schema.tables", of))
  expect(tables.every((row) => JSON.stringify(row["flags"]) === '["compound"]')).toBe(true)
  expect(rowsOf(table("system_virtual_schema.keyspaces", of)).map((row) => row["keyspace_name"]).sort()).toEqual(["system_views", "system_virtual_schema"])
  const virtual = rowsOf(table("system_virtual_schema.columns", of))
  expect(virtual.some((row) => row["keyspace_name"] === "system_views" && row["table_name"] === "clients")).toBe(true)
})

test("clients are listed with their addresses", () => {
  const client = { remote: "[::1]:5000", version: 5, keyspace: "ks", driverName: "d", driverVersion: "1" }
  const [row] = rowsOf(table("system_views.clients", source([node(1)], { clients: () => [client] })))
  expect(row).toMatchObject({ address: "::1", port: 5000, protocol_version: 5, keyspace_name: "ks", driver_name: "d" })
})

test("every virtual table can be read", () => {
  const of = source([node(1), node(2)])
  for (const each of createVirtualTables(of).values()) expect(() => rowsOf(each)).not.toThrow()
})

test("compactions that run are sstable_tasks, those that ended are compaction_history", async () => {
  const { id: tableId } = systemKeyspaces().find(({ name }) => name === "system_traces")!.tables.get("events")!
  const running = { id: "0123456789abcdef0123456789abcdef", table: tableId, reason: "size tier", inputs: 4, totalBytes: 1000, doneBytes: 250, startedAtMicros: 1_700_000_000_000_000 }
  const of = source([node(1)], { compactions: () => [running, { ...running, table: 999_999 }] })
  expect(rowsOf(table("system_views.sstable_tasks", of))).toMatchObject([
    { keyspace_name: "system_traces", table_name: "events", task_id: "04afc000-833b-11ee-8123-456789abcdef", completion_ratio: 0.25, kind: "compaction", progress: 250n, sstables: 4, total: 1000n, unit: "bytes" },
  ])
  const history = systemKeyspaces().find(({ name }) => name === "system")!.tables.get("compaction_history")!
  const record = { ...running, keyspace: "ks", table: "t", strategy: "SizeTieredCompactionStrategy", bytesIn: 1000, bytesOut: 600, merged: [7, 0, 2], endedAtMicros: 1_700_000_005_000_000 }
  const written: Row[] = []
  visitMutation(new ByteReader(historyMutation(history, record, record.endedAtMicros)!), { update: () => undefined, item: (bytes, from, to) => void written.push(decodeRow(new ByteReader(bytes, from, to))) })
  const value = (name: string, path: Buffer | null = null): unknown => {
    const { id, type } = history.regulars.find((column) => column.name === name)!
    const cell = written[0]!.cells.find((other) => other.column === id && (path === null || path.equals(other.path!)))
    expect(cell).toMatchObject({ ttlSeconds: 604_800, expiresAt: 1_700_604_805 })
    return decodeValue(path === null ? type : nativeType("bigint"), Buffer.from(cell!.value!))
  }
  expect(["keyspace_name", "columnfamily_name", "bytes_in", "bytes_out"].map((name) => value(name))).toEqual(["ks", "t", 1000n, 600n])
  expect(value("rows_merged", Buffer.from([0, 0, 0, 3]))).toBe(2n)
  expect(historyMutation(history, { ...record, keyspace: "system", table: "compaction_history" }, 1)).toBeNull()
})
