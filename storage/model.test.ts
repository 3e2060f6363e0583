// The store against a model that keeps every write it was given and works each read out from scratch, cell by cell.
import fc from "fast-check"
import { expect, test } from "vitest"
import { createSimulation } from "../runtime/simulated/simulation.ts"
import type { Simulation } from "../runtime/simulated/simulation.ts"
import { ByteReader } from "../data/bytes.ts"
import type { DirectRead, DirectSink } from "../data/direct-read.ts"
import { clusteringEnd, clusteringStart, decodeRow } from "../data/row-format.ts"
import type { RangeTombstone } from "../data/row.ts"
import type { TableSchema } from "../data/schema.ts"
import { tokenOf } from "../data/token.ts"
import { run as compact } from "./jobs/compact.ts"
import { run as flush } from "./jobs/flush.ts"
import { openStore } from "./open-store.ts"
import { EVERY_ROW } from "./read/partition-merge.ts"
import type { Store } from "./store.ts"
import { COLUMN, type CellSpec, type MutationSpec, type RowSpec, TextSink, clusteringOf, commandOf, deletionAt, mutationOf, slice, testTable } from "./testing.ts"

const KEYS = ["a", "b", "c", "d", "e"]
const CLUSTERINGS = 8

interface RangeSpec {
  readonly start: number | null
  readonly startInclusive: boolean
  readonly end: number | null
  readonly endInclusive: boolean
  readonly timestamp: number
}

interface Write {
  readonly key: string
  readonly deletion?: number
  readonly ranges: readonly RangeSpec[]
  readonly rows: readonly RowSpec[]
}

interface Read {
  readonly key: string | null
  readonly slices: readonly (readonly [number, number])[] | null
  readonly reversed: boolean
  readonly limit: number
  readonly perPartitionLimit: number
  readonly nowSeconds: number
  /** Rows per page; 0: all at once. */
  readonly page: number
}

type Step =
  | { readonly kind: "write"; readonly write: Write }
  | { readonly kind: "read"; readonly read: Read }
  | { readonly kind: "flush" | "restart" | "kill" | "truncate" | "cursor" }
  /** The same without waiting for the end, so that what follows happens at the same time. */
  | { readonly kind: "begin flush" | "begin truncate" | "pass time" }

// The model

interface ModelCell {
  readonly timestamp: number
  readonly kind: number
  readonly expiresAt: number
  readonly value: string
}
interface ModelRow {
  readonly marker: number | null
  readonly deletion: number | null
  readonly setDeletion: number | null
  readonly cells: ReadonlyMap<string, ModelCell>
}

class Model {
  writes: Write[] = []

  partitionDeletion(key: string): number | null {
    return this.writes.filter((write) => write.key === key).reduce<number | null>((strongest, { deletion }) => greater(strongest, deletion ?? null), null)
  }

  rangeDeletion(key: string, clustering: number): number | null {
    const ranges = this.writes.filter((write) => write.key === key).flatMap((write) => write.ranges)
    return ranges.filter((range) => covers(range, clustering)).reduce<number | null>((strongest, { timestamp }) => greater(strongest, timestamp), null)
  }

  row(key: string, clustering: number | null): ModelRow | null {
    const specs = this.writes.filter((write) => write.key === key).flatMap(({ rows }) => rows.filter((row) => row.clustering === clustering))
    const covering = greater(this.partitionDeletion(key), clustering === null ? null : this.rangeDeletion(key, clustering))
    let deletion = specs.reduce<number | null>((strongest, spec) => greater(strongest, spec.deletion ?? null), null)
    if (deletion !== null && covering !== null && deletion <= covering) deletion = null
    const floor = greater(deletion, covering) ?? -1
    let setDeletion = specs.reduce<number | null>((strongest, spec) => greater(strongest, spec.setDeletion ?? null), null)
    if (setDeletion !== null && setDeletion <= floor) setDeletion = null
    let marker: number | null = null
    const cells = new Map<string, ModelCell>()
    for (const spec of specs) {
      if (spec.marker === true && spec.timestamp > floor) marker = greater(marker, spec.timestamp)
      for (const cell of spec.cells ?? []) {
        if (spec.timestamp <= floor || (cell.path !== undefined && setDeletion !== null && spec.timestamp <= setDeletion)) continue
        const name = cell.path === undefined ? `${cell.column}` : `${cell.column}[${cell.path}]`
        const made = modelCell(cell, spec.timestamp)
        const known = cells.get(name)
        if (known === undefined || compareModelCells(made, known) > 0) cells.set(name, made)
      }
    }
    return marker === null && deletion === null && setDeletion === null && cells.size === 0 ? null : { marker, deletion, setDeletion, cells }
  }

  /** Lines as TextSink has them, without range tombstones. */
  read(read: Read): string[] {
    const lines: string[] = []
    let left = read.limit
    const keys = read.key === null ? KEYS.toSorted((x, y) => compareTokensOf(x, y)) : [read.key]
    for (const key of keys) {
      if (left <= 0) break
      left -= this.#partition(key, read, left, lines)
    }
    return lines
  }

  #partition(key: string, read: Read, left: number, lines: string[]): number {
    const found: string[] = []
    const fixed = this.row(key, null)
    const staticIsLive = fixed !== null && isLive(fixed, read.nowSeconds)
    if (fixed !== null) found.push(rowLine("static", fixed, read.nowSeconds))
    let live = 0
    const all = [...Array(CLUSTERINGS).keys()].filter((clustering) => read.slices?.some(([start, end]) => clustering >= start && clustering <= end) ?? true)
    for (const clustering of read.reversed ? all.toReversed() : all) {
      if (live >= Math.min(left, read.perPartitionLimit)) break
      const row = this.row(key, clustering)
      if (row === null) continue
      if (isLive(row, read.nowSeconds)) live++
      found.push(rowLine(String(clustering), row, read.nowSeconds))
    }
    const deletion = this.partitionDeletion(key)
    // A tombstone may cover only what lies between two rows of this test, or outside of all.
    const points = Array.from({ length: 2 * CLUSTERINGS + 2 }, (_, index) => index / 2 - 1).filter((point) => read.slices?.some(([start, end]) => point >= start && point <= end) ?? true)
    const hasRanges = points.some((point) => (this.rangeDeletion(key, point) ?? -1) > (deletion ?? -1))
    if (found.length > 0 || deletion !== null || hasRanges) lines.push(`${key}${deletion === null ? "" : ` deleted@${deletion}`}`, ...found, "  .")
    return live === 0 && staticIsLive ? 1 : live
  }
}

function greater(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b)
}
function covers(range: RangeSpec, clustering: number): boolean {
  const behindStart = range.start === null || (range.startInclusive ? clustering >= range.start : clustering > range.start)
  return behindStart && (range.end === null || (range.endInclusive ? clustering <= range.end : clustering < range.end))
}
function modelCell(cell: CellSpec, timestamp: number): ModelCell {
  if (cell.value === undefined) return { timestamp, kind: 2, expiresAt: timestamp, value: "" }
  return { timestamp, kind: cell.ttl === undefined ? 0 : 1, expiresAt: cell.expiresAt ?? 0, value: cell.value }
}
function compareModelCells(a: ModelCell, b: ModelCell): number {
  return a.timestamp - b.timestamp || a.kind - b.kind || a.expiresAt - b.expiresAt || (a.value < b.value ? -1 : a.value > b.value ? 1 : 0)
}
function isLive({ marker, cells }: ModelRow, nowSeconds: number): boolean {
  return marker !== null || [...cells.values()].some(({ kind, expiresAt }) => kind === 0 || (kind === 1 && expiresAt > nowSeconds))
}
function rowLine(name: string, row: ModelRow, nowSeconds: number): string {
  const parts = [`  ${name}`]
  if (row.marker !== null) parts.push(`marker@${row.marker}`)
  if (row.deletion !== null) parts.push(`deleted@${row.deletion}`)
  if (row.setDeletion !== null) parts.push(`${COLUMN.c}:deleted@${row.setDeletion}`)
  for (const cell of [...row.cells.keys()].toSorted()) {
    const { timestamp, kind, expiresAt, value } = row.cells.get(cell) as ModelCell
    parts.push(`${cell}=${kind === 2 ? "deleted" : value}@${timestamp}${kind === 1 ? `x${expiresAt}` : ""}`)
  }
  return parts.join(" ") + (isLive(row, nowSeconds) ? "" : " (dead)")
}
function compareTokensOf(x: string, y: string): number {
  const a = tokenOf(Buffer.from(x))
  const b = tokenOf(Buffer.from(y))
  return a.high - b.high || a.low - b.low
}

// What fast-check draws

const timestamp = fc.integer({ min: 1, max: 12 })
const value = fc.constantFrom("", "x", "y", "zz", "a longer value than the others have")
const cell: fc.Arbitrary<CellSpec> = fc.oneof(
  fc.record({ column: fc.constantFrom(COLUMN.a, COLUMN.b), value }),
  fc.record({ column: fc.constantFrom(COLUMN.a, COLUMN.b) }),
  fc.record({ column: fc.constantFrom(COLUMN.a, COLUMN.b), value, ttl: fc.constant(5), expiresAt: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ column: fc.constant(COLUMN.c), path: fc.constantFrom("p", "q"), value: fc.constant("") }),
  fc.record({ column: fc.constant(COLUMN.c), path: fc.constantFrom("p", "q") }),
)
const cells = fc.uniqueArray(cell, { maxLength: 3, selector: ({ column, path }) => `${column}${path ?? ""}` })
const regularRow: fc.Arbitrary<RowSpec> = fc
  .record({
    clustering: fc.integer({ min: 0, max: CLUSTERINGS - 1 }), timestamp, marker: fc.boolean(), cells,
    deletion: fc.option(timestamp, { nil: undefined, freq: 6 }), setDeletion: fc.option(timestamp, { nil: undefined, freq: 6 }),
  })
  .map((row) => ({ ...row }) as RowSpec)
const staticRow: fc.Arbitrary<RowSpec> = fc.record({
  clustering: fc.constant(null), timestamp, cells: fc.tuple(fc.oneof(value.map((text) => ({ column: COLUMN.fixed, value: text })), fc.constant({ column: COLUMN.fixed }))),
})
const rangeSpec: fc.Arbitrary<RangeSpec> = fc.record({
  start: fc.option(fc.integer({ min: 0, max: CLUSTERINGS - 1 })), startInclusive: fc.boolean(),
  end: fc.option(fc.integer({ min: 0, max: CLUSTERINGS - 1 })), endInclusive: fc.boolean(), timestamp,
})
const write: fc.Arbitrary<Write> = fc
  .record({
    key: fc.constantFrom(...KEYS),
    deletion: fc.option(timestamp, { nil: undefined, freq: 15 }),
    ranges: fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(rangeSpec, { maxLength: 2 }) }),
    rows: fc.uniqueArray(fc.oneof({ weight: 6, arbitrary: regularRow }, { weight: 1, arbitrary: staticRow }), { maxLength: 3, selector: ({ clustering }) => clustering }),
  })
  .map(({ rows, ranges, ...rest }) => ({ ...rest, rows: sorted(rows), ranges: ranges.slice(0, 1) }) as Write)
const read: fc.Arbitrary<Read> = fc.record({
  key: fc.option(fc.constantFrom(...KEYS)),
  slices: fc.option(fc.constantFrom<readonly (readonly [number, number])[]>([[2, 2]], [[1, 4]], [[0, 1], [3, 3], [5, 7]], [[0, 7]])),
  reversed: fc.boolean(),
  limit: fc.oneof(fc.constant(1000), fc.integer({ min: 1, max: 6 })),
  perPartitionLimit: fc.oneof(fc.constant(1000), fc.integer({ min: 1, max: 3 })),
  nowSeconds: fc.integer({ min: 0, max: 20 }),
  page: fc.constantFrom(0, 0, 1, 2, 3),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: write.map((drawn): Step => ({ kind: "write", write: drawn })) },
  { weight: 6, arbitrary: read.map((drawn): Step => ({ kind: "read", read: drawn })) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: "flush" }) },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ kind: "begin flush" }, { kind: "begin flush" }, { kind: "pass time" }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: "restart" }, { kind: "kill" }, { kind: "cursor" }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: "cursor" }, { kind: "truncate" }, { kind: "begin truncate" }) },
)

/** Mostly whole rows without anything deleted. */
const insert: fc.Arbitrary<Write> = fc.record({
  key: fc.constantFrom(...KEYS), ranges: fc.constant([]),
  rows: fc.array(
    fc.record({ clustering: fc.integer({ min: 0, max: 3 }), timestamp: fc.integer({ min: 1, max: 40 }), marker: fc.constant(true), cells: fc.tuple(value, value).map(([a, b]) => [{ column: COLUMN.a, value: a }, { column: COLUMN.b, value: b }]) }),
    { minLength: 1, maxLength: 1 },
  ),
})
const insertStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: insert.map((drawn): Step => ({ kind: "write", write: drawn })) },
  { weight: 1, arbitrary: step },
  { weight: 4, arbitrary: read.map((drawn): Step => ({ kind: "read", read: drawn })) },
  { weight: 8, arbitrary: fc.tuple(read, fc.integer({ min: 0, max: 3 })).map(([drawn, clustering]): Step => ({ kind: "read", read: { ...drawn, slices: [[clustering, clustering]] } })) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: "flush" }) },
)

function sorted(rows: readonly RowSpec[]): RowSpec[] {
  return rows.toSorted((x, y) => (x.clustering ?? -1) - (y.clustering ?? -1))
}

function tombstoneOf({ start, startInclusive, end, endInclusive, timestamp: at }: RangeSpec): RangeTombstone {
  return { start: clusteringOf(start), startInclusive, end: clusteringOf(end), endInclusive, deletion: deletionAt(at) }
}
function specOf({ key, deletion, ranges, rows }: Write, table: TableSchema): MutationSpec {
  return { key, table, rows, tombstones: ranges.map(tombstoneOf), ...(deletion === undefined ? {} : { deletion }) }
}

// The store under test

/** Collects range tombstones apart from the rest. */
class ModelSink extends TextSink {
  readonly tombstones: { readonly key: string; readonly tombstone: RangeTombstone }[] = []
  #rows = 0
  readonly #most: number
  constructor(most: number) {
    super()
    this.#most = most
  }
  get isFull(): boolean {
    return this.#rows >= this.#most
  }
  override rangeTombstone(tombstone: RangeTombstone): void {
    this.tombstones.push({ key: (this.lines.at(-1) as string).split(" ")[0] as string, tombstone })
  }
  override row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    super.row(bytes, from, to, live)
    if (clusteringStart(from) === clusteringEnd(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), from)) return true
    return ++this.#rows < this.#most
  }
}

/** Columns a and b of the rows of a direct read. */
class DirectLines implements DirectSink {
  lines: string[] = []
  after: Buffer | null = null
  readonly #nowSeconds: number
  readonly #most: number
  constructor(nowSeconds: number, most: number) {
    this.#nowSeconds = nowSeconds
    this.#most = most
  }
  directRow(bytes: Buffer, at: number): boolean {
    const row = decodeRow(new ByteReader(bytes, at))
    const cells = new Map(row.cells.map(({ column, kind, expiresAt, value }) => [column, { kind, expiresAt, value: Buffer.from(value ?? "").toString() }]))
    this.after = Buffer.from(row.clustering)
    this.lines.push(shownLine(this.after.readInt32BE(4), this.#nowSeconds, (column) => cells.get(column)))
    return this.lines.length < this.#most
  }
  answersAlone(bytes: Buffer, at: number): boolean {
    return decodeRow(new ByteReader(bytes, at)).cells.filter(({ column }) => column === COLUMN.a || column === COLUMN.b).length === 2
  }
}

function shownLine(clustering: number, nowSeconds: number, cell: (column: number) => Pick<ModelCell, "kind" | "expiresAt" | "value"> | undefined): string {
  const shown = [COLUMN.a, COLUMN.b].map((column) => {
    const found = cell(column)
    return found === undefined || found.kind === 2 || (found.kind === 1 && found.expiresAt <= nowSeconds) ? "null" : `'${found.value}'`
  })
  return `${clustering} ${shown.join(" ")}`
}

/** What a reader of columns a and b sees. */
function shown(model: Model, key: string, { slices, reversed, nowSeconds }: Read): string[] {
  const all = [...Array(CLUSTERINGS).keys()].filter((clustering) => slices?.some(([start, end]) => clustering >= start && clustering <= end) ?? true)
  return (reversed ? all.toReversed() : all).flatMap((clustering) => {
    const row = model.row(key, clustering)
    return row === null || !isLive(row, nowSeconds) ? [] : [shownLine(clustering, nowSeconds, (column) => row.cells.get(`${column}`))]
  })
}

/** Direct reads that the store took, by how many rows they gave: so that a test that checks none fails. */
const directReads = [0, 0]

class Subject {
  readonly #simulation: Simulation
  readonly #table: TableSchema
  readonly #alwaysWait: boolean
  readonly #memtableSpaceBytes: number
  #store: Store | null = null
  /** Truncations that were begun. */
  #open: Promise<void>[] = []

  constructor(seed: number, table: TableSchema, alwaysWait: boolean, memtableSpaceBytes: number) {
    this.#simulation = createSimulation(seed, { bodies: { flush, compact } })
    this.#table = table
    this.#alwaysWait = alwaysWait
    this.#memtableSpaceBytes = memtableSpaceBytes
  }

  async settle<T>(promise: T | Promise<T>): Promise<T> {
    let done = false
    const settled = Promise.resolve(promise).finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    await this.#simulation.run(() => done)
    return settled
  }

  async open(): Promise<void> {
    const { disk, clock, jobs } = this.#simulation.start(1)
    const events = {
      obligation: () => undefined,
      failed: (error: Error) => {
        throw error
      },
    }
    const options = { tables: [this.#table], blockCacheBytes: 40_000, alwaysWaitForDisk: this.#alwaysWait, commitlogSegmentBytes: 4096, memtableSpaceBytes: this.#memtableSpaceBytes, rowsPerShare: this.#alwaysWait ? 3 : 10_000 }
    this.#store = await this.settle(openStore({ disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options, events }))
  }
  get store(): Store {
    return this.#store as Store
  }
  begin(what: "flush" | "truncate"): void {
    if (what === "truncate") this.#open.push(this.store.truncate(this.#table.id))
    // A flush may be cut off by what comes.
    else this.store.flush().catch(() => undefined)
  }
  passTime(): Promise<void> {
    return this.#simulation.run(this.#simulation.scheduler.nowMicros / 1000 + 15)
  }
  async restart(kill: boolean): Promise<void> {
    this.store.writeOut()
    await this.settle(Promise.all(this.#open.splice(0)))
    if (!kill) await this.settle(this.store.close())
    this.#simulation.kill(1)
    await this.open()
  }

  async read(spec: Read): Promise<ModelSink> {
    const all = new ModelSink(Number.POSITIVE_INFINITY)
    const base = commandOf({
      table: this.#table, key: spec.key, reversed: spec.reversed, limit: spec.limit, perPartitionLimit: spec.perPartitionLimit, nowSeconds: spec.nowSeconds,
      slices: spec.slices?.map(([start, end]) => slice(start, end)) ?? null,
    })
    if (spec.page === 0 || spec.limit < 1000 || spec.perPartitionLimit < 1000) {
      await this.settle(this.store.read(base, all))
      return all
    }
    return this.#pages(base, spec.page, all)
  }

  /** Reads a few rows at a time; partitions that go on over pages are told again, which the result leaves out. */
  async #pages(base: ReturnType<typeof commandOf>, page: number, all: ModelSink): Promise<ModelSink> {
    for (let after = base.after, first = true; first || after !== null; first = false) {
      const sink = new ModelSink(page)
      await this.settle(this.store.read({ ...base, after }, sink))
      const key = after === null ? null : Buffer.from(after.key).toString()
      let lines = sink.lines
      if (key !== null && (lines[0] ?? "").split(" ")[0] === key) {
        all.lines.pop()
        lines = lines.slice(lines[1]?.startsWith("  static") === true ? 2 : 1)
      }
      all.lines.push(...lines)
      all.tombstones.push(...sink.tombstones)
      after = sink.isFull ? sink.after : null
    }
    return all
  }

  /** The same by direct reads, page by page; null when the store takes the long way. */
  readDirect(key: string, spec: Read): string[] | null {
    const lines: string[] = []
    const bytes = Buffer.from(key)
    const { high, low } = tokenOf(bytes)
    const slices = spec.slices?.map(([start, end]) => slice(start, end)) ?? EVERY_ROW
    const isOneRow = spec.slices?.length === 1 && spec.slices[0]?.[0] === spec.slices[0]?.[1]
    for (let after: Buffer | null = null; ; ) {
      const most = spec.page === 0 || isOneRow ? Number.POSITIVE_INFINITY : spec.page
      const sink = new DirectLines(spec.nowSeconds, most)
      const read: DirectRead = { table: this.#table, tokenHigh: high, tokenLow: low, key: bytes, slices, isOneRow, reversed: spec.reversed, after, nowSeconds: spec.nowSeconds }
      if (!this.store.readDirect(read, sink)) return null
      lines.push(...sink.lines)
      if (sink.lines.length < most) return lines
      after = sink.after
    }
  }

  async walk(): Promise<string[]> {
    const cursor = this.store.cursor(this.#table.id, { start: tokenOf(Buffer.from("zz")), end: tokenOf(Buffer.from("zz")) }, null)
    const seen = new Map<string, Set<string>>()
    for (let more = true; more; ) {
      const sink = new ModelSink(Number.POSITIVE_INFINITY)
      more = await this.settle(cursor.next(2, sink))
      let rows = new Set<string>()
      for (const line of sink.lines) {
        if (line === "  .") continue
        if (!line.startsWith(" ")) {
          rows = seen.get(line) ?? new Set()
          seen.set(line, rows)
        } else {
          rows.add(line)
        }
      }
    }
    const keys = [...seen.keys()].toSorted((x, y) => compareTokensOf(x.split(" ")[0] as string, y.split(" ")[0] as string))
    return keys.flatMap((key) => [key, ...(seen.get(key) as Set<string>), "  ."])
  }
}

const EVERYTHING: Read = { key: null, slices: null, reversed: false, limit: 1000, perPartitionLimit: 1000, nowSeconds: 0, page: 0 }

async function check(steps: readonly Step[], seed: number, alwaysWait: boolean, memtableSpaceBytes: number): Promise<void> {
  const table = testTable()
  const subject = new Subject(seed, table, alwaysWait, memtableSpaceBytes)
  const model = new Model()
  await subject.open()
  const checkRead = async (spec: Read): Promise<void> => {
    const sink = await subject.read(spec)
    expect(sink.lines).toEqual(model.read(spec))
    checkTombstones(sink, model, spec)
    for (const key of spec.key === null ? KEYS : [spec.key]) {
      const lines = subject.readDirect(key, spec)
      if (lines === null) continue
      expect(lines).toEqual(shown(model, key, spec))
      directReads[Math.min(lines.length, 1)]!++
    }
  }
  for (const each of [...steps, { kind: "read", read: EVERYTHING } as const]) {
    if (each.kind === "write") {
      await subject.settle(subject.store.apply(mutationOf(specOf(each.write, table)), "client", null))
      model.writes.push(each.write)
    } else if (each.kind === "read") await checkRead(each.read)
    else if (each.kind === "flush") await subject.settle(subject.store.flush())
    else if (each.kind === "cursor") expect(await subject.walk()).toEqual(model.read(EVERYTHING))
    else if (each.kind === "truncate" || each.kind === "begin truncate") {
      subject.begin("truncate")
      model.writes = []
      if (each.kind === "truncate") await subject.passTime()
    } else if (each.kind === "begin flush") subject.begin("flush")
    else if (each.kind === "pass time") await subject.passTime()
    else await subject.restart(each.kind === "kill")
  }
  await subject.settle(subject.store.close())
}

/** At every clustering that was asked for, the tombstones told cover as the model says. */
function checkTombstones(sink: ModelSink, model: Model, spec: Read): void {
  for (const key of new Set(sink.lines.filter((line) => !line.startsWith(" ")).map((line) => line.split(" ")[0] as string))) {
    const told = sink.tombstones.filter((each) => each.key === key).map((each) => each.tombstone)
    for (let clustering = 0; clustering < CLUSTERINGS; clustering++) {
      if (spec.slices !== null && !spec.slices.some(([start, end]) => clustering >= start && clustering <= end)) continue
      const wanted = model.rangeDeletion(key, clustering)
      const expected = wanted !== null && wanted > (model.partitionDeletion(key) ?? -1) ? wanted : null
      const bound = (bytes: Uint8Array): number | null => (bytes.length === 0 ? null : Buffer.from(bytes).readInt32BE(4))
      const covering = told.filter((tombstone) => covers({ ...tombstone, start: bound(tombstone.start), end: bound(tombstone.end), timestamp: 0 }, clustering))
      if (spec.page === 0) expect(covering.length, `disjoint at ${key} ${clustering}`).toBeLessThanOrEqual(1)
      if (spec.page === 0) expect(covering[0]?.deletion.timestampLow ?? null, `tombstone at ${key} ${clustering}`).toBe(expected)
    }
  }
}

async function checkHistories(steps: fc.Arbitrary<Step>, alwaysWait: boolean): Promise<void> {
  const history = fc.array(steps, { minLength: 5, maxLength: 60, size: "max" })
  await fc.assert(
    // With little memory every write flushes the one before, and waits for flushes.
    fc.asyncProperty(history, fc.integer({ min: 0, max: 1_000_000 }), fc.constantFrom(64 << 20, 64 << 20, 30_000, 10_000), (drawn, seed, space) => check(drawn, seed, alwaysWait, space)),
    { numRuns: Number(process.env["BELVEDERE_RUNS"] ?? 50) },
  )
}

test.each([["blocking", false], ["waiting", true]] as const)("any history reads as the model does, %s reads", (_name, alwaysWait) => checkHistories(step, alwaysWait))

test("histories of inserts, which are read directly, too", async () => {
  directReads.fill(0)
  await checkHistories(insertStep, false)
  expect(Math.min(...directReads)).toBeGreaterThan(100)
})
