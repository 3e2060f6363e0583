// Purging and views (section 7 of docs/views.md), on the real rules for rows and entries: two base replicas, two view
// replicas, messages that are late, doubled and out of order, and purges wherever the fences F2, F3 and F4 allow them. In the
// end the views show what the base table says, now and later. With a fence taken away some history must go wrong, or the
// test could not see it.
import { expect, test } from "vitest"
import { isLive, isLiveCell, mergeRows } from "../../data/reconcile.ts"
import { CELL_KIND, type Cell, type Row } from "../../data/row.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { BASE, BASE_ID, type BaseColumn, type ViewDefinition, makeView } from "../../data/testdata/view-tables.ts"
import { tokenOf } from "../../data/token.ts"
import { keysToNotify, mergeEntries, projectEntry, visibleRow } from "../../data/view-entry.ts"
import { type PurgeRules, purgeEntry, purgeRow } from "./purge-row.ts"

const P = Buffer.from("p")
const CLUSTERING = encodeClustering([Buffer.from("q")])
const LATER = 1000
/** For each view; more of them in the long run. */
const HISTORIES = Number(process.env["PURGE_HISTORIES"] ?? 1500)

const VIEWS: Readonly<Record<string, ViewDefinition>> = {
  "a key column": { keys: ["a"], select: ["b"] },
  "two key columns": { keys: ["a", "c"], select: ["b"] },
  "no key column": { keys: [], select: ["b"] },
  "a key column and a filter": { keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "1" }] },
}
type Fence = "none" | "F2" | "F3"

/** A small generator with a seed. */
function generator(seed: number): (below: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

interface Obligation {
  readonly key: readonly Buffer[]
  version: number
  targets: Set<number>
}
interface Message {
  readonly base: number
  readonly target: number
  readonly name: string
  readonly key: readonly Buffer[]
  readonly entry: Row
  readonly version: number
  delivered: boolean
}

class History {
  now = 10
  readonly #view: TableSchema
  readonly #definition: ViewDefinition
  readonly #random: (below: number) => number
  readonly #missing: Fence
  readonly #bases: { row: Row | null; owed: Map<string, Obligation> }[] = [{ row: null, owed: new Map() }, { row: null, owed: new Map() }]
  readonly #views: Map<string, { key: readonly Buffer[]; entry: Row }>[] = [new Map(), new Map()]
  #messages: Message[] = []
  /** Writes that a base replica has not had. */
  #undelivered: { readonly base: number; readonly row: Row }[] = []
  #epoch = 0
  #version = 0
  purges = 0

  constructor(definition: ViewDefinition, seed: number, missing: Fence) {
    this.#definition = definition
    this.#view = makeView(definition)
    this.#random = generator(seed)
    this.#missing = missing
  }

  /** Null when the views are right in the end, else what they show. */
  run(steps: number): string | null {
    for (let left = steps; left > 0; left--) this.#step()
    this.#calm()
    for (const now of [this.now, this.now + 6, this.now + LATER]) {
      const want = this.#evaluate(now)
      for (const [index, entries] of this.#views.entries()) {
        const found = this.#shown(entries.values(), now)
        if (found !== want) return `view ${index} at ${now} shows ${found}, the base table says ${want}`
      }
    }
    return null
  }

  /** Everything arrives that is on its way or owed; and some of it twice. */
  #calm(): void {
    while (this.#undelivered.length > 0) this.#deliverWrite(0)
    for (const index of [0, 1]) for (const name of this.#base(index).owed.keys()) this.#send(index, name)
    for (const message of this.#messages) if (!message.delivered || this.#random(2) === 0) this.#deliver(message)
  }

  #base(index: number): { row: Row | null; owed: Map<string, Obligation> } {
    return this.#bases[index] as { row: Row | null; owed: Map<string, Obligation> }
  }

  #step(): void {
    const kind = this.#random(18)
    if (kind < 2) this.#write()
    else if (kind < 6 && this.#undelivered.length > 0) this.#deliverWrite(this.#random(this.#undelivered.length))
    else if (kind < 10) this.#sendOne()
    else if (kind < 13 && this.#messages.length > 0) this.#deliver(this.#messages[this.#random(this.#messages.length)] as Message)
    else if (kind === 13) {
      if (this.#random(3) === 0) this.#calm()
      // What was delivered is too old to come again (F1).
      if (this.#random(3) === 0) this.#messages = this.#messages.filter(({ delivered }) => !delivered)
    }
    else if (kind === 14) for (const index of [0, 1]) this.#purgeBase(index)
    else if (kind < 17) this.#purgeView(this.#random(2))
    else this.now += this.#random(4)
  }

  #write(): void {
    if (this.#undelivered.length > 2) return
    // F4 and F6: nothing is written at or below what may have been purged.
    const stamp = { timestampHigh: 0, timestampLow: 10 * this.#epoch + 1 + this.#random(9) }
    const names: BaseColumn[] = ["a", "b", "c", "f", "u"]
    const cells = names.filter(() => this.#random(2) === 0).map((name): Cell => {
      const place = { column: BASE_ID[name], path: null, ...stamp }
      const what = this.#random(6)
      if (what === 0) return { ...place, kind: CELL_KIND.tombstone, ttlSeconds: 0, expiresAt: this.now, value: null }
      const value = Buffer.from(String(1 + this.#random(2)))
      return what === 1 ? { ...place, kind: CELL_KIND.expiring, ttlSeconds: 5, expiresAt: this.now + this.#random(5), value } : { ...place, kind: CELL_KIND.plain, ttlSeconds: 0, expiresAt: 0, value }
    })
    const isDeletion = this.#random(3) === 0
    const row: Row = {
      isStatic: false, clustering: CLUSTERING, marker: !isDeletion && this.#random(3) === 0 ? { ...stamp, ttlSeconds: 0, expiresAt: 0 } : null,
      deletion: isDeletion ? { ...stamp, localDeletionTime: this.now } : null, complexDeletions: [], cells: isDeletion ? [] : cells.toSorted((a, b) => a.column - b.column),
    }
    if (row.marker === null && row.deletion === null && row.cells.length === 0) return
    this.#undelivered.push({ base: 0, row }, { base: 1, row })
  }

  #deliverWrite(at: number): void {
    const [{ base, row: incoming }] = this.#undelivered.splice(at, 1) as [{ base: number; row: Row }]
    const replica = this.#base(base)
    const merged = mergeRows(replica.row === null ? [incoming] : [replica.row, incoming], null) as Row
    const view = (row: Row): { row: Row; key: Buffer; token: ReturnType<typeof tokenOf> } => ({ row, key: P, token: tokenOf(P) })
    for (const key of keysToNotify(BASE, this.#view, replica.row === null ? null : view(replica.row), view(incoming), view(merged))) {
      replica.owed.set(nameOf(key), { key, version: ++this.#version, targets: new Set([0, 1]) })
    }
    replica.row = merged
  }

  #sendOne(): void {
    const base = this.#random(2)
    const names = [...this.#base(base).owed.keys()]
    if (names.length > 0) this.#send(base, names[this.#random(names.length)] as string)
  }

  #send(base: number, name: string): void {
    const { row, owed } = this.#base(base)
    const { key, version, targets } = owed.get(name) as Obligation
    const source = row ?? { isStatic: false, clustering: CLUSTERING, marker: null, deletion: null, complexDeletions: [], cells: [] }
    const entry = projectEntry(BASE, this.#view, { row: source, key: P, token: tokenOf(P) }, key)
    for (const target of targets) this.#messages.push({ base, target, name, key, entry, version, delivered: false })
  }

  #deliver(message: Message): void {
    const { base, target, name, key, entry, version } = message
    message.delivered = true
    const entries = this.#views[target] as Map<string, { key: readonly Buffer[]; entry: Row }>
    const known = entries.get(name)
    entries.set(name, { key, entry: known === undefined ? mergeEntries(this.#view, [entry]) : mergeEntries(this.#view, [known.entry, entry]) })
    const obligation = this.#base(base).owed.get(name)
    if (obligation === undefined || obligation.version !== version) return
    obligation.targets.delete(target)
    if (obligation.targets.size === 0) this.#base(base).owed.delete(name)
  }

  #rules(): PurgeRules {
    return { masks: true, mayGo: (_high, _low, second) => second < this.now, isUnneeded: () => true }
  }

  #purgeBase(index: number): void {
    const replica = this.#base(index)
    // F4: every base replica has had every write.
    if (replica.row === null || this.#undelivered.length > 0) return
    if (this.#missing !== "F2" && replica.owed.size > 0) return
    const left = purgeRow(replica.row, this.#rules())
    if (left === replica.row) return
    this.purges++
    this.#epoch++
    replica.row = left
  }

  #purgeView(index: number): void {
    const entries = this.#views[index] as Map<string, { key: readonly Buffer[]; entry: Row }>
    for (const [name, { key, entry }] of entries) {
      // F3: every message that left before is gone. And F4 for what the base replicas may still send.
      if (this.#missing !== "F3" && this.#messages.some((message) => message.target === index && message.name === name)) continue
      if (this.#undelivered.length > 0) continue
      const left = purgeEntry(this.#view, entry, this.#rules())
      if (left === entry) continue
      this.purges++
      if (left === null) entries.delete(name)
      else entries.set(name, { key, entry: left })
    }
  }

  #shown(entries: Iterable<{ key: readonly Buffer[]; entry: Row }>, now: number): string {
    const rows: string[] = []
    for (const { key, entry } of entries) {
      const row = visibleRow(this.#view, entry, key, now)
      const b = this.#view.regulars.find(({ name }) => name === "b")?.id
      if (row !== null) rows.push(`${key.slice(0, this.#definition.keys.length).join(",")}:${row.cells.find(({ column }) => column === b)?.value?.toString() ?? "null"}`)
    }
    return rows.toSorted().join(" ")
  }

  #evaluate(now: number): string {
    const rows = this.#bases.flatMap(({ row }) => (row === null ? [] : [row]))
    const base = rows.length === 0 ? null : mergeRows(rows, null)
    if (base === null) return ""
    const value = (name: BaseColumn): string | null => {
      const cell = base.cells.find(({ column }) => column === BASE_ID[name])
      return cell !== undefined && isLiveCell(cell, now) ? (cell.value as Buffer).toString() : null
    }
    const key = this.#definition.keys.map(value)
    if (key.includes(null) || (this.#definition.filters ?? []).some((filter) => value(filter.column) !== filter.value)) return ""
    if (key.length === 0 && !isLive(base, now)) return ""
    return `${key.join(",")}:${value("b") ?? "null"}`
  }
}

function nameOf(key: readonly Buffer[]): string {
  return key.map((value) => value.toString("hex")).join("/")
}

/** The first history that goes wrong, and how many purges there were. */
function search(definition: ViewDefinition, missing: Fence, histories: number): { wrong: string | null; purges: number } {
  let purges = 0
  for (let seed = 1; seed <= histories; seed++) {
    const history = new History(definition, seed, missing)
    const wrong = history.run(30 + (seed % 70))
    purges += history.purges
    if (wrong !== null) return { wrong: `seed ${seed}: ${wrong}`, purges }
  }
  return { wrong: null, purges }
}

test.each(Object.entries(VIEWS))("with %s, fenced purges change nothing that readers see", (_, definition) => {
  const { wrong, purges } = search(definition, "none", HISTORIES)
  expect(wrong).toBeNull()
  expect(purges).toBeGreaterThan(300)
}, 600_000)

test.each(["F2", "F3"] as const)("without %s some history goes wrong", (missing) => {
  expect(Object.values(VIEWS).some((definition) => search(definition, missing, 6000).wrong !== null)).toBe(true)
})

test("an entry that something outside may need goes whole or not at all", () => {
  const view = makeView({ keys: ["a"], select: ["b"] })
  const stamp = (timestampLow: number): { timestampHigh: number; timestampLow: number } => ({ timestampHigh: 0, timestampLow })
  const value = (column: number, timestamp: number, expiresAt: number): Cell => ({
    column, path: null, kind: expiresAt === 0 ? CELL_KIND.plain : CELL_KIND.expiring, ...stamp(timestamp), ttlSeconds: expiresAt === 0 ? 0 : 5, expiresAt, value: Buffer.from("1"),
  })
  const rules = (unneeded: number, masks = true): PurgeRules => ({ masks, mayGo: (_high, low, second) => second < 10 && low < unneeded, isUnneeded: (_high, low) => low < unneeded })
  const base = (a: Cell, b: Cell, deletion = 0): Row => ({
    isStatic: false, clustering: CLUSTERING, marker: null, deletion: deletion === 0 ? null : { ...stamp(deletion), localDeletionTime: 5 }, complexDeletions: [], cells: [a, b],
  })
  const entryOf = (row: Row, key: string): Row => projectEntry(BASE, view, { row, key: P, token: tokenOf(P) }, [Buffer.from(key), P, Buffer.from("q")])
  const expired = entryOf(base(value(BASE_ID.a, 3, 5), value(BASE_ID.b, 8, 0)), "1")
  expect(purgeEntry(view, expired, rules(8))).toBe(expired)
  expect(purgeEntry(view, expired, rules(9))).toBeNull()
  const mask = entryOf(base(value(BASE_ID.a, 4, 0), value(BASE_ID.b, 8, 0), 2), "other")
  expect(purgeEntry(view, mask, rules(4))).toBe(mask)
  expect(purgeEntry(view, mask, rules(9, false))).toBe(mask)
  expect(purgeEntry(view, mask, rules(5))).toBeNull()
  const seen = entryOf(base(value(BASE_ID.a, 4, 0), value(BASE_ID.b, 8, 5), 2), "1")
  expect(purgeEntry(view, seen, rules(8))).toMatchObject({ deletion: null, cells: { length: 3 } })
  const left = purgeEntry(view, seen, rules(9)) as Row
  expect(left.cells.map(({ timestampLow }) => timestampLow)).toEqual([4, 4])
  expect(mergeEntries(view, [left, left])).toEqual(left)
})
