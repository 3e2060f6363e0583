import { describe, expect, test } from "vitest"
import { canonicalJson } from "./canonical-json.ts"
import { resolveSchema, resolveTable, schemaVersion } from "./resolve-schema.ts"
import type { ColumnDescriptor, SchemaDescriptor, TableDescriptor } from "./schema.ts"
import { BASE, makeView } from "./testdata/view-tables.ts"

const base = BASE.descriptor
const firstView = makeView({ keys: ["a"], select: ["b"] }).descriptor
const view = (name: string, id: number): TableDescriptor => ({ ...firstView, name, id })

const schema: SchemaDescriptor = {
  nextTableId: 1003,
  keyspaces: [{ name: "k", durableWrites: true, replication: { class: "x", replication_factor: "1" }, types: [{ name: "t", fields: [] }], tables: [view("z", 1002), base, view("y", 1001)] }],
}

describe("a resolved schema", () => {
  const resolved = resolveSchema(schema, [])

  test("finds tables by id and by name, views too", () => {
    expect(resolved.tableById(1000)?.name).toBe("base")
    expect(resolved.tableById(1002)?.kind).toBe("view")
    expect(resolved.tableById(999)).toBeNull()
    expect(resolved.table("k", "y")?.id).toBe(1001)
    expect(resolved.table("k", "nobody")).toBeNull()
    expect(resolved.table("nobody", "y")).toBeNull()
    expect(resolved.keyspaces.get("k")?.types.get("t")?.name).toBe("t")
  })

  test("views hang on their base by name, as the same objects", () => {
    const table = resolved.table("k", "base")
    expect(table?.views.map((item) => item.name)).toEqual(["y", "z"])
    expect(table?.views[0]).toBe(resolved.table("k", "y"))
    expect(table?.kind).toBe("table")
    expect(table?.views[0]?.views).toEqual([])
  })

  test("system keyspaces are part of it, but not of its version", () => {
    const system = { name: "system", durableWrites: true, replication: {}, tables: new Map([["local", { ...resolveTable({ ...base, id: 1, name: "local", keyspace: "system" }), kind: "virtual" as const }]]), types: new Map(), functions: [], aggregates: [], virtual: false }
    const all = resolveSchema(schema, [system])
    expect(all.table("system", "local")?.kind).toBe("virtual")
    expect(all.tableById(1)?.name).toBe("local")
    expect(all.version).toBe(resolved.version)
  })
})

describe("a resolved table", () => {
  test("sorts its columns: keys by position, the others by name, hidden ones apart", () => {
    const column = (id: number, name: string, kind: ColumnDescriptor["kind"], position: number): ColumnDescriptor => ({ id, name, type: { kind: "native", name: "int" }, kind, position, reversed: false, hidden: null })
    const table = resolveTable({
      ...base, nextColumnId: 9,
      columns: [column(1, "z", "regular", -1), column(2, "b", "partition_key", 1), column(3, "c", "clustering", 0), column(4, "a", "partition_key", 0), column(5, "s", "static", -1), column(6, "y", "regular", -1), { ...column(7, "h", "regular", -1), hidden: "witness" }],
    })
    expect(table.columns.map((item) => item.name)).toEqual(["a", "b", "c", "s", "y", "z"])
    expect(table.hidden.map((item) => item.name)).toEqual(["h"])
    expect(table.columnById.map((item) => item?.name ?? null)).toEqual([null, "z", "b", "c", "a", "s", "y", "h", null])
    expect(table.columnByName.has("h")).toBe(false)
  })

  test("a column id that is used twice is a bug", () => {
    expect(() => resolveTable({ ...base, columns: [...base.columns, { ...(base.columns[0] as ColumnDescriptor), name: "again" }] })).toThrow("used once")
  })
})

describe("the version", () => {
  test("is a UUID that depends on the content alone", () => {
    const version = schemaVersion(schema)
    expect(version).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-3[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const shuffled = JSON.parse(JSON.stringify(schema), (_key, value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).toReversed()) : value,
    ) as SchemaDescriptor
    expect(schemaVersion(shuffled)).toBe(version)
    const changed = { ...schema, keyspaces: [{ ...schema.keyspaces[0]!, durableWrites: false }] }
    expect(schemaVersion(changed)).not.toBe(version)
  })

  test("canonical JSON", () => {
    expect(canonicalJson({ b: [1, { d: null, c: "x" }], a: true, u: undefined })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}')
  })
})
