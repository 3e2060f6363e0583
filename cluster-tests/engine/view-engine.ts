// One node's real storage on a simulated disk with the base table and one view, and the entries that its writes derive.
//
// Two ways for entries to get into the view, as in a cluster:
//   own      this node owns every view key: the entry is in the record of the write
//   owed     another node does: the record has an obligation, which is delivered, some time, into this store's own view
import type { LogPosition } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import type { Row } from "../../data/row.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import { Buffer, isPromise } from "../../runtime/pure.ts"
import { type Simulation, createSimulation } from "../../runtime/simulated/simulation.ts"
import { run as compact } from "../../storage/jobs/compact.ts"
import { run as flush } from "../../storage/jobs/flush.ts"
import { openStore } from "../../storage/open-store.ts"
import type { Store } from "../../storage/store.ts"
import { ObligationCounter, createDerive } from "../../coordinator/views/derive.ts"
import { writeEntry } from "../../coordinator/views/entry-mutation.ts"
import { type ObligationRecord, decodeObligation } from "../../coordinator/views/obligation.ts"
import { readRowView } from "../../coordinator/views/read-row.ts"
import { TestMetadata } from "../../coordinator/views/testing.ts"
import type { ViewDefinition } from "../../data/testdata/view-tables.ts"
import { type BaseRow, RowCollector } from "../simulated/view-oracle.ts"
import { wholeTable } from "../simulated/cluster.ts"

const STORE_OPTIONS = { commitlogSegmentBytes: 64 << 10, commitlogSyncPeriodMs: 100, commitlogTotalBytes: 16 << 20 }

export class ViewEngine {
  readonly simulation: Simulation
  readonly metadata: TestMetadata
  /** Not delivered yet. */
  obligations: ObligationRecord[] = []
  /** Of them, those that the last start found in the log. */
  replayed = 0
  readonly #isOwner: boolean
  readonly #writer = new MutationWriter()
  #store: Store | null = null
  #incarnation = 0

  private constructor(seed: number | string, definition: ViewDefinition, isOwner: boolean) {
    this.simulation = createSimulation(seed, { bodies: { flush, compact } })
    this.metadata = new TestMetadata(definition, isOwner ? 3 : 1)
    this.#isOwner = isOwner
  }

  static async open(seed: number | string, definition: ViewDefinition, isOwner: boolean): Promise<ViewEngine> {
    const engine = new ViewEngine(seed, definition, isOwner)
    await engine.#open()
    return engine
  }

  get store(): Store {
    if (this.#store === null) throw new Error("the store is open")
    return this.#store
  }
  get view(): TableSchema {
    return this.metadata.view
  }
  get base(): TableSchema {
    return this.metadata.base
  }

  apply(partition: string, rows: readonly Row[]): LogPosition {
    const writer = this.#writer
    writer.reset()
    const key = Buffer.from(partition)
    writer.begin(key, 0, key.length)
    writer.beginUpdate(this.base.id)
    for (const row of rows) writer.row(row)
    writer.endUpdate()
    return this.applyMutation(writer.end())
  }

  applyMutation(mutation: Buffer): LogPosition {
    // Node 1 owns everything, node 9 nothing.
    const derive = createDerive(this.#isOwner ? 1 : 9, () => this.metadata.snapshot, new ObligationCounter(this.#incarnation))
    const position = this.store.apply(mutation, "client", derive)
    if (isPromise(position)) throw new Error("there is room")
    return position
  }

  /** Delivers an obligation: the entry that the row makes now. */
  deliver(obligation: ObligationRecord): void {
    const row = readRowView(this.store, this.base, obligation.key, obligation.clustering)
    if (isPromise(row)) throw new Error("all is in memory")
    if (row === null) return
    const writer = new MutationWriter()
    void this.store.apply(writeEntry(writer, this.base, this.view, row, obligation.viewKey), "view", null)
  }
  /** Delivers all of them, in the order that `at` gives. */
  deliverAll(at: (obligation: ObligationRecord) => number = () => 0): void {
    const open = this.obligations.map((obligation) => ({ obligation, at: at(obligation) })).toSorted((a, b) => a.at - b.at)
    this.obligations = []
    for (const { obligation } of open) this.deliver(obligation)
  }

  async flush(): Promise<void> {
    await this.wait(this.store.flush())
  }
  async durable(): Promise<void> {
    await this.wait(new Promise<void>((resolve) => this.store.onDurable(this.store.lastPosition(), resolve)))
  }
  /** A kill, and a new start on what it left. What was owed is known from the log alone. */
  async restart(): Promise<void> {
    this.store.writeOut()
    this.simulation.kill(1)
    await this.#open()
  }
  /** The same after a loss of power. */
  async powerLoss(): Promise<void> {
    this.simulation.powerLoss(1)
    await this.#open()
  }

  read(table: TableSchema, nowSeconds: number, command: Partial<ReadCommand> = {}): RowCollector {
    const collector = new RowCollector(table)
    if (isPromise(this.store.read({ ...wholeTable(table, nowSeconds), ...command }, collector))) throw new Error("all is in memory")
    return collector
  }
  entries(nowSeconds: number): readonly BaseRow[] {
    return this.read(this.view, nowSeconds).live
  }

  async wait<T>(work: Promise<T>): Promise<T> {
    let settled = false
    const settle = (): void => {
      settled = true
    }
    work.then(settle, settle)
    await this.simulation.run(() => settled, { maxMs: 100_000 })
    return work
  }

  async #open(): Promise<void> {
    const { disk, clock, jobs } = this.simulation.start(1)
    this.obligations = []
    this.replayed = 0
    this.#incarnation++
    this.#store = await this.wait(
      openStore({
        disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { ...STORE_OPTIONS, tables: [this.base, this.view] },
        events: {
          obligation: (bytes, _position, replayed) => {
            if (replayed) this.replayed++
            this.obligations.push(decodeObligation(bytes))
          },
        },
      }),
    )
  }
}
