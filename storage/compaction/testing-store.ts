// A store on the simulated disk for the tests of compaction and purging: deletions at seconds of the test's choice, what
// readers see, and what is left in the files.
import type { StoreEvents } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { CELL_KIND, type Cell, type RangeTombstone, type Row } from "../../data/row.ts"
import { decodeRow } from "../../data/row-format.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { TableOptions, TableSchema } from "../../data/schema.ts"
import { type Simulation, type SimulatedProcess, createSimulation } from "../../runtime/simulated/simulation.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { openStore } from "../open-store.ts"
import type { StoreOptions } from "../store-options.ts"
import type { Store } from "../store.ts"
import { COLUMN, TextSink, clusteringOf, commandOf, rowText, testTable } from "../testing.ts"

/** The test table with other options. */
export function tableWith(options: Partial<TableOptions>, { id = 1000, views = [] }: { id?: number; views?: readonly TableSchema[] } = {}): TableSchema {
  const { descriptor } = testTable({ id, views })
  return resolveTable({ ...descriptor, options: { ...descriptor.options, ...options } }, views)
}

export function strategyOf(name: string, texts: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return { class: `org.apache.cassandra.db.compaction.${name}CompactionStrategy`, ...texts }
}

export class StoreRig {
  readonly simulation: Simulation
  readonly failures: Error[] = []
  process: SimulatedProcess
  #store: Store | null = null
  readonly #events: Partial<StoreEvents>
  readonly #options: Partial<StoreOptions>
  tables: readonly TableSchema[]

  constructor(tables: readonly TableSchema[], { seed = 1, events = {}, options = {} }: { seed?: number; events?: Partial<StoreEvents>; options?: Partial<StoreOptions> } = {}) {
    this.simulation = createSimulation(seed, { bodies: { flush, compact } })
    this.process = this.simulation.start(1)
    this.tables = tables
    this.#events = events
    this.#options = options
  }

  get store(): Store {
    if (this.#store === null) throw new Error("the store is open")
    return this.#store
  }
  get nowSeconds(): number {
    return Math.floor(this.process.clock.nowMicros() / 1e6)
  }

  async open(): Promise<this> {
    const { disk, clock, jobs } = this.process
    const events: StoreEvents = { obligation: () => undefined, failed: (error) => this.failures.push(error), ...this.#events }
    this.#store = await this.settle(openStore({ disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { commitlogSegmentBytes: 64 << 10, ...this.#options, tables: this.tables }, events }))
    return this
  }
  async restart(): Promise<void> {
    await this.settle(this.store.close())
    await this.open()
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false
    const settled = promise.finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    await this.simulation.run(() => done, { maxMs: 10_000_000 })
    return settled
  }
  /** Lets seconds pass, with whatever runs in the background. */
  async pass(seconds: number): Promise<void> {
    await this.settle(this.process.clock.sleep(seconds * 1000))
  }
  /** Lets compactions come to an end. */
  async quiet(): Promise<void> {
    await this.pass(1)
    while (this.store.compactions().length > 0) await this.pass(1)
  }
  flush(): Promise<void> {
    return this.settle(this.store.flush())
  }
  write(bytes: Buffer): void {
    void this.store.apply(bytes, "client", null)
  }

  /** Everything stored, dead or alive, as the read path hands it on. */
  raw(table: TableSchema = this.tables[0] as TableSchema): string[] {
    const sink = new TextSink()
    void this.store.read(commandOf({ table, nowSeconds: this.nowSeconds }), sink)
    return sink.lines
  }
  /** What readers see at a second: live rows with their live cells. */
  visible(nowSeconds: number, table: TableSchema = this.tables[0] as TableSchema): string[] {
    const sink = new VisibleSink(nowSeconds)
    void this.store.read(commandOf({ table, nowSeconds }), sink)
    return sink.lines
  }
}

class VisibleSink extends TextSink {
  override readonly lines: string[] = []
  readonly #nowSeconds: number
  #key = ""

  constructor(nowSeconds: number) {
    super()
    this.#nowSeconds = nowSeconds
  }
  override partition(_token: unknown, key: Uint8Array): void {
    this.#key = Buffer.from(key).toString()
  }
  override rangeTombstone(): void {}
  override row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    const row = decodeRow(new ByteReader(Buffer.from(bytes), from, to))
    const marker = row.marker !== null && (row.marker.expiresAt === 0 || row.marker.expiresAt > this.#nowSeconds) ? row.marker : null
    const cells = row.cells.filter(({ kind, expiresAt }) => kind === CELL_KIND.plain || (kind === CELL_KIND.expiring && expiresAt > this.#nowSeconds))
    if (live) this.lines.push(`${this.#key} ${rowText({ ...row, marker, cells, deletion: null, complexDeletions: [] })}`)
    return true
  }
  override partitionEnd(): void {}
}

/** One thing in a write, at a timestamp and, for what dies, a second. */
export type Item =
  | { readonly kind: "value" | "marker"; readonly clustering: number; readonly column: number; readonly value: string }
  | { readonly kind: "expiring" | "expiring marker"; readonly clustering: number; readonly column: number; readonly value: string; readonly second: number }
  | { readonly kind: "cell" | "row" | "set"; readonly clustering: number; readonly column: number; readonly second: number }
  | { readonly kind: "range"; readonly from: number; readonly to: number; readonly second: number }
  | { readonly kind: "partition"; readonly second: number }

/** A mutation of the test table with one item. Column 5 is the set. */
export function itemMutation(key: string, timestamp: number, item: Item, id = 1000): Buffer {
  const writer = new MutationWriter()
  const bytes = Buffer.from(key)
  const stamp = { timestampHigh: 0, timestampLow: timestamp }
  writer.begin(bytes, 0, bytes.length)
  writer.beginUpdate(id)
  if (item.kind === "partition") writer.partitionDeletion({ ...stamp, localDeletionTime: item.second })
  else if (item.kind === "range") writer.rangeTombstone(rangeOf(item.from, item.to, timestamp, item.second))
  else writer.row(itemRow(item, stamp))
  writer.endUpdate()
  return Buffer.from(writer.end())
}

function rangeOf(from: number, to: number, timestamp: number, second: number): RangeTombstone {
  return { start: clusteringOf(from), startInclusive: true, end: clusteringOf(to), endInclusive: true, deletion: { timestampHigh: 0, timestampLow: timestamp, localDeletionTime: second } }
}

function itemRow(item: Exclude<Item, { kind: "range" | "partition" }>, stamp: { timestampHigh: number; timestampLow: number }): Row {
  const row: Row = { isStatic: false, clustering: clusteringOf(item.clustering), marker: null, deletion: null, complexDeletions: [], cells: [] }
  const path = item.column === COLUMN.c ? Buffer.from("p") : null
  const cell = (more: Partial<Cell>): Cell => ({ column: item.column, path, kind: CELL_KIND.plain, ...stamp, ttlSeconds: 0, expiresAt: 0, value: null, ...more })
  switch (item.kind) {
    case "value":
      return { ...row, cells: [cell({ value: Buffer.from(item.value) })] }
    case "marker":
      return { ...row, marker: { ...stamp, ttlSeconds: 0, expiresAt: 0 } }
    case "expiring":
      return { ...row, cells: [cell({ kind: CELL_KIND.expiring, ttlSeconds: 10, expiresAt: item.second, value: Buffer.from(item.value) })] }
    case "expiring marker":
      return { ...row, marker: { ...stamp, ttlSeconds: 10, expiresAt: item.second } }
    case "cell":
      return { ...row, cells: [cell({ kind: CELL_KIND.tombstone, expiresAt: item.second })] }
    case "row":
      return { ...row, deletion: { ...stamp, localDeletionTime: item.second } }
    case "set":
      return { ...row, complexDeletions: [{ column: COLUMN.c, deletion: { ...stamp, localDeletionTime: item.second } }] }
  }
}
