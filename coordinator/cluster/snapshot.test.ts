import { describe, expect, test } from "vitest"
import { DEFAULT_TABLE_OPTIONS } from "../../data/table-options.ts"
import type { KeyspaceDescriptor, SchemaDescriptor, TableDescriptor } from "../../data/schema.ts"
import type { NodeDescriptor } from "../../data/topology.ts"
import { StaleSchemaError } from "./cluster-metadata.ts"
import { type MetadataState, applyChange, buildSnapshot, emptyState } from "./snapshot.ts"

function table(id: number, name: string, baseTable: number | null = null): TableDescriptor {
  const column = { id: 0, name: "k", type: { kind: "native", name: "int" }, kind: "partition_key", position: 0, reversed: false, hidden: null } as const
  const view =
    baseTable === null
      ? null
      : { baseTable, includeAllColumns: true, whereClause: "", keyColumns: [0], newKeyColumns: [], selected: [], context: [], virtual: [], witness: 1, filters: [] }
  return {
    id, uuid: `uuid-${id}`, keyspace: "ks", name, columns: [column], nextColumnId: 2, droppedColumns: [], options: DEFAULT_TABLE_OPTIONS, view, epoch: 0, truncationEpoch: 0,
  }
}
function schema(tables: TableDescriptor[], factor = "1"): SchemaDescriptor {
  const keyspace: KeyspaceDescriptor = { name: "ks", durableWrites: true, replication: { class: "SimpleStrategy", replication_factor: factor }, tables, types: [] }
  return { keyspaces: [keyspace], nextTableId: 1100 }
}
function node(number: number, part: Partial<NodeDescriptor> = {}): NodeDescriptor {
  return {
    node: number, hostId: `host-${number}`, state: "normal", dataCenter: "dc", rack: "r", listenAddress: `10.0.0.${number}`, listenPort: 1, nativeAddress: "", nativePort: 1,
    releaseVersion: "", tokens: [String(number * 100)], epoch: 0, ...part,
  }
}
function tableOf(state: MetadataState, id: number): TableDescriptor {
  return state.schema.keyspaces.flatMap(({ tables }) => tables).find((candidate) => candidate.id === id) as TableDescriptor
}

describe("schema changes", () => {
  const first = applyChange(emptyState("c"), { kind: "schema", expected: 0, schema: schema([table(1000, "a"), table(1001, "b")]) })

  test("stamp the tables that changed, and only those", () => {
    const changed = { ...tableOf(first, 1000), options: { ...DEFAULT_TABLE_OPTIONS, comment: "new" } }
    const second = applyChange(first, { kind: "schema", expected: 1, schema: schema([changed, tableOf(first, 1001)]) })
    expect([second.epoch, second.schemaEpoch]).toEqual([2, 2])
    expect([tableOf(second, 1000).epoch, tableOf(second, 1001).epoch]).toEqual([2, 1])
  })
  test("do not trust the stamps they are given", () => {
    const second = applyChange(first, { kind: "schema", expected: 1, schema: schema([table(1000, "a"), table(1001, "b")]) })
    expect([tableOf(second, 1000).epoch, tableOf(second, 1000).truncationEpoch]).toEqual([1, 1])
  })
  test("are refused when somebody else was faster", () => {
    expect(() => applyChange(first, { kind: "schema", expected: 0, schema: schema([]) })).toThrow(StaleSchemaError)
  })
  test("a view that comes or goes stamps its base table, so that no replica derives without knowing", () => {
    const withView = applyChange(first, { kind: "schema", expected: 1, schema: schema([table(1000, "a"), table(1001, "b"), table(1002, "v", 1000)]) })
    expect([1000, 1001, 1002].map((id) => tableOf(withView, id).epoch)).toEqual([2, 1, 2])
    const without = applyChange(withView, { kind: "schema", expected: 2, schema: schema([table(1000, "a"), table(1001, "b")]) })
    expect([1000, 1001].map((id) => tableOf(without, id).epoch)).toEqual([3, 1])
  })
  test("forget the builds of views that are gone", () => {
    const withView = applyChange(first, { kind: "schema", expected: 1, schema: schema([table(1000, "a"), table(1002, "v", 1000)]) })
    const built = applyChange(applyChange(withView, { kind: "viewBuild", view: 1002, node: 1, status: "STARTED" }), { kind: "viewBuild", view: 1002, node: 1, status: "SUCCESS" })
    expect(built.viewBuilds).toEqual([{ view: 1002, node: 1, status: "SUCCESS" }])
    expect(applyChange(built, { kind: "schema", expected: 2, schema: schema([]) }).viewBuilds).toEqual([])
  })
})

describe("truncation", () => {
  const first = applyChange(emptyState("c"), { kind: "schema", expected: 0, schema: schema([table(1000, "a"), table(1001, "b"), table(1002, "v", 1000)]) })
  test("raises the table's and its views' epoch, not the schema's", () => {
    const second = applyChange(first, { kind: "truncate", table: 1000 })
    expect([1000, 1001, 1002].map((id) => tableOf(second, id).truncationEpoch)).toEqual([2, 1, 2])
    expect(second.schemaEpoch).toBe(1)
  })
  test("of a system table is kept beside the schema", () => {
    const snapshot = buildSnapshot(applyChange(first, { kind: "truncate", table: 110 }), [], null)
    expect([snapshot.truncationEpoch(110), snapshot.truncationEpoch(111), snapshot.truncationEpoch(1000)]).toEqual([2, 0, 1])
  })
  test("survives a later change of the schema that was derived before it", () => {
    const truncated = applyChange(first, { kind: "truncate", table: 1000 })
    const third = applyChange(truncated, { kind: "schema", expected: 1, schema: schema([table(1000, "a"), table(1001, "b"), table(1002, "v", 1000)]) })
    expect(tableOf(third, 1000).truncationEpoch).toBe(2)
  })
})

describe("nodes", () => {
  test("a change of address moves no ownership, a change of tokens or state does", () => {
    let state = applyChange(emptyState("c"), { kind: "node", node: node(1) })
    expect(state.ringEpoch).toBe(1)
    state = applyChange(state, { kind: "node", node: node(1, { listenAddress: "10.0.0.9" }) })
    expect([state.epoch, state.ringEpoch, state.nodes[0]?.epoch]).toEqual([2, 1, 2])
    state = applyChange(state, { kind: "node", node: node(1, { listenAddress: "10.0.0.9", state: "leaving" }) })
    expect(state.ringEpoch).toBe(3)
    state = applyChange(state, { kind: "remove", node: 1 })
    expect([state.ringEpoch, state.nodes]).toEqual([4, []])
  })
  test("placement follows ring and keyspace: `since` is the later of both", () => {
    let state = applyChange(emptyState("c"), { kind: "schema", expected: 0, schema: schema([table(1000, "a")]) })
    for (const number of [1, 2]) state = applyChange(state, { kind: "node", node: node(number) })
    expect(buildSnapshot(state, [], null).placement("ks", 0, 50)).toEqual({ read: [1], write: [1], pending: [], since: 3 })
    state = applyChange(state, { kind: "schema", expected: 1, schema: schema([table(1000, "a")], "2") })
    const snapshot = buildSnapshot(state, [], null)
    expect(snapshot.placement("ks", 0, 50)).toEqual({ read: [1, 2], write: [1, 2], pending: [], since: 4 })
    expect(snapshot.replication("ks").factor).toBe(2)
  })
})

test("an epoch without a change of the schema takes the resolved schema over", () => {
  const state = applyChange(emptyState("c"), { kind: "schema", expected: 0, schema: schema([table(1000, "a")]) })
  const before = buildSnapshot(state, [], null)
  const after = buildSnapshot(applyChange(state, { kind: "node", node: node(1) }), [], before)
  expect(after.schema).toBe(before.schema)
  expect(after.epoch).toBe(2)
})

test("the state is JSON", () => {
  const state = applyChange(emptyState("c"), { kind: "schema", expected: 0, schema: schema([table(1000, "a")]) })
  expect(JSON.parse(JSON.stringify(state))).toEqual(state)
})
