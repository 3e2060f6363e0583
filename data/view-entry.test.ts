// The rules of docs/views.md on real rows: the golden vectors in every order of mutations, law L1 against a model of the
// merge in plain objects, and visibility against the query recomputed from the base row.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import type { RowView } from "./local-store.ts"
import { isLive, isLiveCell, mergeRows } from "./reconcile.ts"
import { CELL_KIND, type Cell, type CellKind, type Row } from "./row.ts"
import { encodeClustering, rowBytes } from "./row-format.ts"
import type { TableSchema } from "./schema.ts"
import { BASE, BASE_ID, type BaseColumn, type ViewDefinition, makeView } from "./testdata/view-tables.ts"
import { type Shown, VECTORS, type VectorMutation, vectorRow } from "./testdata/view-vectors.ts"
import { tokenOf } from "./token.ts"
import { entryVisible, isWitnessed, keysToNotify, mergeEntries, projectEntry, visibleRow } from "./view-entry.ts"

const P = Buffer.from("p1")
const Q = Buffer.from("q1")
const TOKEN = tokenOf(P)
const CLUSTERING = encodeClustering([Q])

const toRow = (mutation: VectorMutation): Row => vectorRow(mutation, CLUSTERING)
const rowView = (row: Row): RowView => ({ row, key: P, token: TOKEN })
const keyText = (key: readonly Buffer[]): string => key.map((value) => value.toString("hex")).join("/")

interface Sent {
  readonly key: readonly Buffer[]
  readonly entries: readonly Row[]
}
type Sends = ReadonlyMap<string, Sent>

interface Replica {
  readonly row: Row | null
  readonly sent: Sends
}

/** A base replica applies a write and sends an entry to every key that must hear of it. */
function apply(view: TableSchema, replica: Replica, incoming: Row): Replica {
  const merged = mergeRows(replica.row === null ? [incoming] : [replica.row, incoming], null) as Row
  const sent = new Map(replica.sent)
  for (const key of keysToNotify(BASE, view, replica.row === null ? null : rowView(replica.row), rowView(incoming), rowView(merged))) {
    const known = sent.get(keyText(key))
    sent.set(keyText(key), { key, entries: [...(known?.entries ?? []), projectEntry(BASE, view, rowView(merged), key)] })
  }
  return { row: merged, sent }
}

/** Merges entries by a random tree of merges, in random order. */
function mergeGrouped(view: TableSchema, entries: readonly Row[], random: () => number): Row {
  const pool = [...entries]
  for (let at = pool.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    ;[pool[at], pool[other]] = [pool[other] as Row, pool[at] as Row]
  }
  while (pool.length > 1) {
    const count = 2 + Math.floor(random() * (pool.length - 1))
    const at = Math.floor(random() * (pool.length - count + 1))
    pool.splice(at, count, mergeEntries(view, pool.slice(at, at + count)))
  }
  return pool[0] as Row
}

/** A small generator with a seed, for loops where fast-check would be too slow. */
function generator(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** What readers see at the time, as the golden file writes it. */
function shown(view: TableSchema, keys: number, sends: Iterable<Sent>, merge: (entries: readonly Row[]) => Row, now: number): Shown {
  const result: Record<string, Record<string, string | null>> = {}
  for (const { key, entries } of sends) {
    const row = visibleRow(view, merge(entries), key, now)
    if (row === null) continue
    if (!isLive(row, now)) throw new Error("what is visible is a live row")
    const values: Record<string, string | null> = {}
    for (const { name, id } of view.regulars) {
      if (name === "m") continue
      values[name] = row.cells.find((cell) => cell.column === id)?.value?.toString() ?? null
    }
    result[JSON.stringify(key.slice(0, keys).map(String))] = values
  }
  return result
}

/** The definition: the view's rows straight from the merged base row. */
function evaluate(definition: ViewDefinition, base: Row | null, now: number): Shown {
  if (base === null) return {}
  const value = (name: BaseColumn): string | null => {
    if (name === "p" || name === "q") return name === "p" ? P.toString() : Q.toString()
    const cell = base.cells.find((item) => item.column === BASE_ID[name] && item.path === null)
    return cell !== undefined && isLiveCell(cell, now) ? (cell.value as Buffer).toString() : null
  }
  const key = definition.keys.map(value)
  if (key.includes(null)) return {}
  for (const { column, operator, value: operand } of definition.filters ?? []) {
    const actual = value(column)
    if (actual === null) return {}
    const order = Buffer.compare(Buffer.from(actual), Buffer.from(operand))
    if (!{ "=": order === 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0, IN: order === 0 }[operator]) return {}
  }
  if (key.length === 0 && !isLive(base, now)) return {}
  return { [JSON.stringify(key)]: Object.fromEntries(definition.select.filter((name) => name !== "m").map((name) => [name, value(name)])) }
}

describe("golden vectors", () => {
  test("there are 65", () => expect(VECTORS).toHaveLength(65))

  test.each(VECTORS)("$name", ({ definition, mutations, expected }) => {
    const view = makeView(definition)
    const rows = mutations.map(toRow)
    const random = generator(rows.length * 7919)
    let orders = 0
    const visit = (replica: Replica, left: readonly number[]): void => {
      for (const index of left) visit(apply(view, replica, rows[index] as Row), left.filter((other) => other !== index))
      if (left.length > 0) return
      const check = orders++ % 16 === 0
      for (const [now, want] of expected) {
        const found = shown(view, definition.keys.length, replica.sent.values(), (entries) => mergeEntries(view, entries), now)
        // `expect` is slow, and there are 40,320 orders of eight mutations.
        if (check || JSON.stringify(found) !== JSON.stringify(want)) expect(found).toEqual(want)
        if (check) expect(evaluate(definition, replica.row, now)).toEqual(want)
      }
      if (!check) return
      for (const { entries } of replica.sent.values()) {
        const bytes = rowBytes(mergeEntries(view, entries))
        for (let round = 0; round < 4; round++) expect(rowBytes(mergeGrouped(view, entries, random))).toEqual(bytes)
      }
    }
    visit({ row: null, sent: new Map() }, rows.map((_, index) => index))
  })

  test("with two base replicas that meet the writes in different orders and send at random times", () => {
    const random = generator(4711)
    for (const { definition, mutations, expected } of VECTORS) {
      const view = makeView(definition)
      const rows = mutations.map(toRow)
      for (let round = 0; round < 20; round++) {
        const all = new Map<string, Sent>()
        for (let index = 0; index < 2; index++) {
          const order = rows.map((row) => ({ row, at: random() })).toSorted((a, b) => a.at - b.at)
          const replica = order.reduce<Replica>((state, { row }) => apply(view, state, row), { row: null, sent: new Map() })
          for (const [text, { key, entries }] of replica.sent) {
            // Coalesced obligations: of the entries for a key only the last is sure to be sent.
            const last = projectEntry(BASE, view, rowView(replica.row as Row), key)
            const delivered = [...entries.filter(() => random() < 0.5), last]
            all.set(text, { key, entries: [...(all.get(text)?.entries ?? []), ...delivered] })
          }
        }
        for (const [now, want] of expected) {
          expect(shown(view, definition.keys.length, all.values(), (entries) => mergeGrouped(view, entries, random), now)).toEqual(want)
        }
      }
    }
  })
})

// ---- The model: entries as plain objects, written down from the specification alone.

interface ModelCell {
  readonly ts: number
  readonly kind: CellKind
  readonly exp: number
  readonly val: string
}
interface ModelRow {
  readonly D: number
  readonly M: ModelCell | null
  readonly c: Readonly<Record<string, ModelCell>>
}
interface ModelEntry extends ModelRow {
  readonly W: boolean
}

const COLUMNS = ["a", "b", "c", "f", "u"] as const
const rank = (a: ModelCell, b: ModelCell): number => a.ts - b.ts || a.kind - b.kind || a.exp - b.exp || Buffer.compare(Buffer.from(a.val), Buffer.from(b.val))
const greater = (a: ModelCell | null = null, b: ModelCell | null = null): ModelCell | null => (a === null || (b !== null && rank(a, b) < 0) ? b : a)
const alive = (cells: Readonly<Record<string, ModelCell>>, D: number): Record<string, ModelCell> => Object.fromEntries(Object.entries(cells).filter(([, cell]) => cell.ts > D))

function contextNames(definition: ViewDefinition): string[] {
  return [...new Set([...definition.keys, ...(definition.filters ?? []).map((filter) => filter.column)])]
}
function modelMatches(definition: ViewDefinition, row: ModelRow, key: readonly string[]): boolean {
  const value = (name: string): string | null => {
    const cell = row.c[name]
    return cell === undefined || cell.kind === CELL_KIND.tombstone || cell.ts <= row.D ? null : cell.val
  }
  return definition.keys.every((name, index) => value(name) === key[index]) && (definition.filters ?? []).every((filter) => value(filter.column) === filter.value)
}
function modelProject(definition: ViewDefinition, row: ModelRow, key: readonly string[]): ModelEntry {
  const cells = alive(row.c, row.D)
  const context = Object.fromEntries(Object.entries(cells).filter(([name]) => contextNames(definition).includes(name)))
  if (!modelMatches(definition, row, key)) return { D: row.D, M: null, c: context, W: false }
  const others: Record<string, ModelCell> = {}
  for (const [name, cell] of Object.entries(cells)) {
    if (definition.select.includes(name as BaseColumn)) others[`s:${name}`] = cell
    else if (definition.keys.length === 0) others[`v:${name}`] = { ...cell, val: "" }
  }
  const M = definition.keys.length === 0 && row.M !== null && row.M.ts > row.D ? row.M : null
  return { D: row.D, M, c: { ...context, ...others }, W: true }
}
function modelMerge(definition: ViewDefinition, x: ModelEntry, y: ModelEntry, key: readonly string[]): ModelEntry {
  const names = contextNames(definition)
  const D = Math.max(x.D, y.D)
  const context: Record<string, ModelCell> = {}
  for (const name of names) {
    const cell = greater(x.c[name], y.c[name])
    if (cell !== null) context[name] = cell
  }
  const z: { W: boolean; M: ModelCell | null; c: Record<string, ModelCell> } = { W: false, M: null, c: { ...context } }
  for (const s of [x, y]) {
    const same = names.every((name) => JSON.stringify(s.c[name]) === JSON.stringify(context[name]))
    if (!same) continue
    z.W ||= s.W
    z.M = greater(z.M, s.M)
    for (const [name, cell] of Object.entries(s.c)) z.c[name] = greater(z.c[name], cell) as ModelCell
  }
  const entry: ModelEntry = { D, M: z.M !== null && z.M.ts > D ? z.M : null, c: alive(z.c, D), W: z.W }
  if (modelMatches(definition, entry, key) && entry.W) return entry
  return { D, M: null, c: Object.fromEntries(Object.entries(entry.c).filter(([name]) => names.includes(name))), W: false }
}

/** The model's row on the real side. Its clock's zero is at timestamp 10, so that D = -1 is no deletion. */
function realRow(row: ModelRow): Row {
  const stamp = (ts: number): { timestampHigh: number; timestampLow: number } => ({ timestampHigh: 0, timestampLow: ts + 10 })
  const ttl = (cell: ModelCell): number => (cell.kind === CELL_KIND.expiring ? 7 : 0)
  const cells = COLUMNS.flatMap((name): Cell[] => {
    const cell = row.c[name]
    if (cell === undefined) return []
    return [{ column: BASE_ID[name], path: null, kind: cell.kind, ...stamp(cell.ts), ttlSeconds: ttl(cell), expiresAt: cell.exp, value: cell.kind === CELL_KIND.tombstone ? null : Buffer.from(cell.val) }]
  })
  return {
    isStatic: false, clustering: CLUSTERING,
    marker: row.M === null ? null : { ...stamp(row.M.ts), ttlSeconds: ttl(row.M), expiresAt: row.M.exp },
    deletion: row.D < 0 ? null : { ...stamp(row.D), localDeletionTime: 1 },
    complexDeletions: [], cells: cells.toSorted((a, b) => a.column - b.column),
  }
}

/** What an entry says, in the model's terms. */
function describeEntry(view: TableSchema, entry: Row): unknown {
  const descriptor = view.view!
  const baseName = (id: number): string => Object.entries(BASE_ID).find(([, column]) => column === id)?.[0] as string
  const c: Record<string, ModelCell> = {}
  for (const cell of entry.cells) {
    const model: ModelCell = { ts: cell.timestampLow - 10, kind: cell.kind, exp: cell.expiresAt, val: cell.value?.toString() ?? "" }
    const context = descriptor.context.find((column) => column.view === cell.column)
    const selected = descriptor.selected.find((column) => column.view === cell.column)
    const virtual = descriptor.virtual.find((column) => column.view === cell.column)
    if (context !== undefined) c[baseName(context.base)] = model
    else if (selected !== undefined) c[`s:${baseName(selected.base)}`] = model
    else if (virtual !== undefined) c[`v:${baseName(virtual.base)}`] = model
  }
  const M = entry.marker === null ? null : { ts: entry.marker.timestampLow - 10, kind: entry.marker.expiresAt === 0 ? 0 : 1, exp: entry.marker.expiresAt, val: "" }
  return { D: entry.deletion === null ? -1 : entry.deletion.timestampLow - 10, M, c, W: isWitnessed(view, entry) }
}

const modelCell = (kinds: readonly CellKind[], values: readonly string[]): fc.Arbitrary<ModelCell> =>
  fc.tuple(fc.nat(4), fc.constantFrom(...kinds), fc.constantFrom(5, 9), fc.constantFrom(...values)).map(([ts, kind, exp, val]) => ({ ts, kind, exp: kind === CELL_KIND.plain ? 0 : kind === CELL_KIND.tombstone ? 1 : exp, val: kind === CELL_KIND.tombstone ? "" : val }))
const anyKind = [CELL_KIND.plain, CELL_KIND.plain, CELL_KIND.expiring, CELL_KIND.tombstone]
const modelRow: fc.Arbitrary<ModelRow> = fc
  .record({
    D: fc.constantFrom(-1, -1, -1, 0, 1, 2, 3),
    M: fc.option(modelCell([CELL_KIND.plain, CELL_KIND.expiring], [""])),
    c: fc.record(Object.fromEntries(COLUMNS.map((name) => [name, modelCell(anyKind, name === "f" ? ["on", "off"] : ["x", "y"])])), { requiredKeys: [] }),
  }, { noNullPrototype: true })
  .map((row) => ({ ...row, c: alive(row.c as Record<string, ModelCell>, row.D), M: row.M !== null && row.M.ts > row.D ? row.M : null }))

const SHAPES: readonly (readonly [string, ViewDefinition])[] = [
  ["one new key column", { keys: ["a"], select: ["b", "c"] }],
  ["two new key columns", { keys: ["a", "b"], select: ["c"] }],
  ["no new key column", { keys: [], select: ["b"] }],
  ["a filter", { keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] }],
  ["a filter on a selected column", { keys: ["a"], select: ["b", "f"], filters: [{ column: "f", operator: "=", value: "on" }] }],
  ["a filter on a new key column", { keys: ["a", "b"], select: ["c"], filters: [{ column: "a", operator: "=", value: "x" }] }],
  ["a filter without new key column", { keys: [], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] }],
  ["filters on two columns", { keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }, { column: "u", operator: "=", value: "x" }] }],
]

describe.each(SHAPES)("L1 with %s", (_name, definition) => {
  const view = makeView(definition)
  const key = definition.keys.map(() => "x")
  const viewKey = definition.keys.length > 0 ? [...key.map((value) => Buffer.from(value)), P, Q] : [Q, P]
  const project = (row: ModelRow): Row => projectEntry(BASE, view, rowView(realRow(row)), viewKey)

  test("projection and merge are the model's", () => {
    fc.assert(
      fc.property(fc.array(modelRow, { minLength: 1, maxLength: 4 }), (rows) => {
        const models = rows.map((row) => modelProject(definition, row, key))
        expect(rows.map((row) => describeEntry(view, project(row)))).toEqual(models)
        const merged = models.reduce((x, y) => modelMerge(definition, x, y, key))
        expect(describeEntry(view, mergeEntries(view, rows.map(project)))).toEqual(merged)
      }),
      { numRuns: 400 },
    )
  })

  test("commutative, associative, idempotent, to the byte", () => {
    fc.assert(
      fc.property(fc.array(modelRow, { minLength: 1, maxLength: 5 }), fc.integer(), (rows, seed) => {
        const entries = rows.map(project)
        const merged = mergeEntries(view, entries)
        const bytes = rowBytes(merged)
        expect(rowBytes(mergeGrouped(view, entries, generator(seed)))).toEqual(bytes)
        expect(rowBytes(mergeGrouped(view, [...entries, ...entries, merged], generator(seed + 1)))).toEqual(bytes)
        expect(rowBytes(mergeEntries(view, [merged, merged]))).toEqual(bytes)
      }),
      { numRuns: 400 },
    )
  })
})

// ---- Convergence: after all writes have reached a base replica, the view is the query.

const mutation: fc.Arbitrary<Row> = fc
  .record({
    ts: fc.nat(6),
    ttl: fc.option(fc.constantFrom(5, 9), { freq: 3, nil: undefined }),
    insert: fc.boolean(),
    set: fc.record({ a: fc.constantFrom("x", "y", null), b: fc.constantFrom("x", "y", null), c: fc.constantFrom("1", null), f: fc.constantFrom("on", "off", null), u: fc.constantFrom("x", null) }, { requiredKeys: [] }),
    deleteRow: fc.constantFrom(false, false, false, true),
    elements: fc.array(fc.record({ path: fc.constantFrom("k1", "k2"), value: fc.option(fc.constantFrom("1", "2")) }), { maxLength: 2 }),
    replaceMap: fc.constantFrom(false, false, true),
  })
  .map(({ ts, ttl, insert, set, deleteRow, elements, replaceMap }): Row => {
    if (deleteRow) return toRow({ ts, deleteRow })
    const row = toRow({ ts, insert, set, ...(ttl === undefined ? {} : { ttl, at: 0 }) })
    const stamp = { timestampHigh: 0, timestampLow: ts }
    const places = new Map(elements.map((element) => [element.path, element.value]))
    const cells = [...places].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([path, value]): Cell => ({
      column: BASE_ID.m, path: Buffer.from(path), ...stamp, ttlSeconds: 0,
      ...(value === null ? { kind: CELL_KIND.tombstone, expiresAt: 1, value: null } : { kind: CELL_KIND.plain, expiresAt: 0, value: Buffer.from(value) }),
    }))
    const complexDeletions = replaceMap && ts > 0 ? [{ column: BASE_ID.m, deletion: { timestampHigh: 0, timestampLow: ts - 1, localDeletionTime: 1 } }] : []
    return { ...row, complexDeletions, cells: [...row.cells, ...cells] }
  })
  .filter((row) => row.marker !== null || row.deletion !== null || row.cells.length > 0 || row.complexDeletions.length > 0)

/** The live elements of the map column `column`. */
function elements(row: Row, column: number, now: number): Record<string, string> {
  const live = row.cells.filter((cell) => cell.column === column && isLiveCell(cell, now))
  return Object.fromEntries(live.map((cell) => [(cell.path as Buffer).toString(), (cell.value as Buffer).toString()]))
}

const CONVERGING: readonly (readonly [string, ViewDefinition])[] = [
  ...SHAPES,
  ["a collection selected", { keys: ["a"], select: ["b", "m"] }],
  ["a collection selected, no new key column", { keys: [], select: ["m"] }],
  ["a collection as evidence of life", { keys: [], select: [] }],
  ["ranges as filters", { keys: [], select: ["b"], filters: [{ column: "a", operator: ">", value: "x" }, { column: "f", operator: "<=", value: "off" }] }],
  ["a filter on the base's key that holds", { keys: ["a"], select: ["b"], filters: [{ column: "q", operator: ">=", value: "q1" }] }],
  ["a filter on the base's key that does not hold", { keys: ["a"], select: ["b"], filters: [{ column: "p", operator: "<", value: "p1" }] }],
]

describe.each(CONVERGING)("L2 with %s", (_name, definition) => {
  const view = makeView(definition)

  test("what base replicas have sent shows the query's rows, at every time", () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 7 }), fc.integer(), (writes, seed) => {
        const random = generator(seed)
        const all = new Map<string, Sent>()
        let base: Row | null = null
        for (let index = 0; index < 2; index++) {
          const order = writes.map((row) => ({ row, at: random() })).toSorted((a, b) => a.at - b.at)
          const replica = order.reduce<Replica>((state, { row }) => apply(view, state, row), { row: null, sent: new Map() })
          base = replica.row
          for (const [text, { key, entries }] of replica.sent) {
            all.set(text, { key, entries: [...(all.get(text)?.entries ?? []), ...entries.filter(() => random() < 0.5), projectEntry(BASE, view, rowView(base as Row), key)] })
          }
        }
        const m = view.regulars.find((column) => column.name === "m")
        for (const now of [0, 4, 5, 8, 9, 100]) {
          expect(shown(view, definition.keys.length, all.values(), (entries) => mergeGrouped(view, entries, random), now)).toEqual(evaluate(definition, base, now))
          if (m === undefined) continue
          for (const { key, entries } of all.values()) {
            const row = visibleRow(view, mergeEntries(view, entries), key, now)
            if (row !== null) expect(elements(row, m.id, now)).toEqual(elements(base as Row, BASE_ID.m, now))
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe("keys to notify", () => {
  const view = makeView({ keys: ["a"], select: ["b"] })
  const two = makeView({ keys: ["a", "b"], select: ["c"] })
  const texts = (keys: Buffer[][], count: number): string[] => keys.map((key) => key.slice(0, count).map(String).join()).toSorted()
  const keys = (table: TableSchema, existing: VectorMutation | null, incoming: VectorMutation): Buffer[][] => {
    const old = existing === null ? null : toRow(existing)
    const merged = mergeRows(old === null ? [toRow(incoming)] : [old, toRow(incoming)], null) as Row
    return keysToNotify(BASE, table, old === null ? null : rowView(old), rowView(toRow(incoming)), rowView(merged))
  }

  test("the old key and the new one", () => expect(texts(keys(view, { ts: 1, set: { a: 1 } }, { ts: 2, set: { a: 2 } }), 1)).toEqual(["1", "2"]))
  test("rule L: also the key of a write that loses, and of one that a deletion covers", () => {
    expect(texts(keys(view, { ts: 5, set: { a: 1 } }, { ts: 2, set: { a: 2 } }), 1)).toEqual(["1", "2"])
    expect(texts(keys(view, { ts: 5, deleteRow: true }, { ts: 2, set: { a: 2 } }), 1)).toEqual(["2"])
  })
  test("R3: a write that changes nothing", () => expect(texts(keys(view, { ts: 1, set: { a: 1 } }, { ts: 1, set: { a: 1 } }), 1)).toEqual(["1"]))
  test("two new key columns: every mixture of old and new", () =>
    expect(texts(keys(two, { ts: 5, set: { a: 1, b: 1 } }, { ts: 2, set: { a: 2, b: 2 } }), 2)).toEqual(["1,1", "1,2", "2,1", "2,2"]))
  test("the whole key in the view's order", () => expect(keys(view, null, { ts: 1, set: { a: 1 } }).map((key) => key.map(String))).toEqual([["1", "p1", "q1"]]))
  test("none when no version satisfies the filter, all when one does", () => {
    const filtered = makeView({ keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] })
    expect(texts(keys(filtered, { ts: 1, set: { a: 1, f: "off" } }, { ts: 2, set: { a: 2 } }), 1)).toEqual([])
    expect(texts(keys(filtered, { ts: 1, set: { a: 1, f: "on" } }, { ts: 2, set: { a: 2, f: "off" } }), 1)).toEqual(["1", "2"])
    expect(texts(keys(filtered, { ts: 3, set: { a: 1, f: "off" } }, { ts: 2, set: { a: 2, f: "on" } }), 1)).toEqual(["1", "2"])
  })
  test("a static row has none", () => {
    const row = { ...toRow({ ts: 1, set: { a: 1 } }), isStatic: true, clustering: Buffer.alloc(0) }
    expect(keysToNotify(BASE, view, null, rowView(row), rowView(row))).toEqual([])
  })
})

test("an entry of a simple base row is a simple row", () => {
  const view = makeView({ keys: ["a"], select: ["b"] })
  const row = toRow({ ts: 5, insert: true, set: { a: 1, b: 2 } })
  const entry = projectEntry(BASE, view, rowView(row), [Buffer.from("1"), P, Q])
  expect(rowBytes(entry)[4]! & 2).toBe(2)
})

test("an entry with garbage in its context is not shown", () => {
  const view = makeView({ keys: ["a"], select: ["b"] })
  const key = [Buffer.from("1"), P, Q]
  const entry = projectEntry(BASE, view, rowView(toRow({ ts: 5, set: { a: 1, b: 2 } })), key)
  expect(entryVisible(view, entry, key, 0)).toBe(true)
  expect(entryVisible(view, entry, [Buffer.from("2"), P, Q], 0)).toBe(false)
  const filtered = makeView({ keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] })
  const matching = projectEntry(BASE, filtered, rowView(toRow({ ts: 5, set: { a: 1, f: "on" } })), key)
  const context = filtered.view!.context.find((column) => column.base === BASE_ID.f)!.view
  expect(entryVisible(filtered, matching, key, 0)).toBe(true)
  const damaged = matching.cells.map((cell) => (cell.column === context ? { ...cell, value: Buffer.from("off") } : cell))
  expect(entryVisible(filtered, { ...matching, cells: damaged }, key, 0)).toBe(false)
  expect(entryVisible(view, { ...entry, cells: entry.cells.filter((cell) => cell.column !== view.view!.witness) }, key, 0)).toBe(false)
})
