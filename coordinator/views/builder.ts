// Builds a view on a table that holds data: for every row of this node, the obligation that a write of it would make.
// Writes that arrive meanwhile derive theirs by themselves, since the view is in the schema before the walk begins.
//
// 1. The ranges of which this node is the first replica are walked; each is built when its obligations are discharged.
// 2. For every other range it keeps, the first replica is asked whether it has built the range from the same rows
//    (build-agreement.ts); if not, this node walks it too.
// 3. Then the view is built here, and the metadata log says so.
//
// What it does not do: resume. A build that a restart interrupted begins again.
import type { LocalStore, RowView } from "../../data/local-store.ts"
import type { TableId, TableSchema } from "../../data/schema.ts"
import type { TokenRange } from "../../data/topology.ts"
import { keysToNotify } from "../../data/view-entry.ts"
import type { Clock } from "../../runtime/clock.ts"
import { Buffer } from "../../runtime/pure.ts"
import { BuildWatch } from "../cluster/build-watch.ts"
import type { ClusterMetadata, Snapshot } from "../cluster/cluster-metadata.ts"
import type { BuildAgreement } from "./build-agreement.ts"
import type { Outbox } from "./outbox.ts"
import { walkRows } from "./row-walk.ts"

/** The walk waits while more obligations than this are open: few enough that an owner takes them from one read of the row. */
const MAX_OPEN = 750
const RETRY_MS = 1000

export interface ViewBuilderOptions {
  readonly self: number
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly outbox: Outbox
  readonly agreement: BuildAgreement
  readonly clock: Clock
  readonly log: (line: string) => void
}

interface OwnedRange {
  readonly range: TokenRange
  /** The replica that builds it. */
  readonly first: number
}

export class ViewBuilder {
  readonly #options: ViewBuilderOptions
  readonly #watch: BuildWatch
  #stopped = false

  constructor(options: ViewBuilderOptions) {
    this.#options = options
    const { self, metadata } = options
    this.#watch = new BuildWatch({ self, metadata, builds: viewsOf, run: (table) => this.#run(table) })
  }

  start(): void {
    this.#watch.start()
  }

  stop(): void {
    this.#stopped = true
    this.#watch.stop()
  }

  async #run(view: number): Promise<void> {
    while (!this.#stopped) {
      try {
        if (await this.#build(view)) await this.#report(view, "SUCCESS")
        break
      } catch (error) {
        this.#options.log(`View build interrupted, begins again: ${String(error)}`)
        await this.#options.clock.sleep(RETRY_MS)
      }
    }
    this.#watch.forget(view)
  }

  async #report(view: number, status: "STARTED" | "SUCCESS"): Promise<void> {
    await this.#options.metadata.propose({ kind: "viewBuild", view, node: this.#options.self, status })
  }

  /** False when the view is dropped, or this node stopped, meanwhile. */
  async #build(viewId: number): Promise<boolean> {
    const { metadata, agreement, log } = this.#options
    const goesOn = (): boolean => !this.#stopped && metadata.current().schema.tableById(viewId) !== null
    const view = metadata.current().schema.tableById(viewId)
    const base = view?.view === null || view?.view === undefined ? null : metadata.current().schema.tableById(view.view.baseTable)
    if (view === null || base === null) return false
    log(`Starting new view build of ${view.keyspace}.${view.name}`)
    await this.#report(viewId, "STARTED")
    const ranges = this.#ownedRanges(base)
    let rows = 0
    for (const { range, first } of ranges) {
      if (first !== this.#options.self) continue
      rows += await this.#buildRange(base, view, range, goesOn)
      if (!goesOn()) return false
      agreement.built(viewId, range)
    }
    for (const { range, first } of ranges) {
      if (first === this.#options.self || (await agreement.hasBuilt(first, viewId, base, range, goesOn))) continue
      if (!goesOn()) return false
      rows += await this.#buildRange(base, view, range, goesOn)
    }
    if (!goesOn()) return false
    log(`Completed view build of ${view.keyspace}.${view.name}: ${rows} rows built here`)
    return true
  }

  /** Resolves with the number of rows once all obligations of the range are discharged. */
  async #buildRange(base: TableSchema, view: TableSchema, range: TokenRange, goesOn: () => boolean): Promise<number> {
    const work = new OpenWork(base, view, this.#options.outbox)
    const pause = async (): Promise<boolean> => {
      await work.below(MAX_OPEN)
      return goesOn()
    }
    if (await walkRows(this.#options.store(), base, range, (row) => work.add(row), pause)) await work.below(0)
    return work.rows
  }

  #ownedRanges(base: TableSchema): OwnedRange[] {
    const owned: OwnedRange[] = []
    for (const { startHigh, startLow, endHigh, endLow, placement } of this.#options.metadata.current().ranges(base.keyspace)) {
      if (!placement.write.includes(this.#options.self)) continue
      const range = { start: { high: startHigh, low: startLow }, end: { high: endHigh, low: endLow } }
      owned.push({ range, first: placement.read[0] ?? this.#options.self })
    }
    return owned
  }
}

/** The obligations of one walk that are not discharged yet. */
class OpenWork {
  rows = 0
  readonly #base: TableSchema
  readonly #view: TableSchema
  readonly #outbox: Outbox
  #open = 0
  #limit = 0
  #wake: (() => void) | null = null

  constructor(base: TableSchema, view: TableSchema, outbox: Outbox) {
    this.#base = base
    this.#view = view
    this.#outbox = outbox
  }

  add(state: RowView): void {
    this.rows++
    const { key, row } = state
    for (const viewKey of keysToNotify(this.#base, this.#view, null, state, state)) {
      this.#open++
      this.#outbox.addBuilt({ base: this.#base.id, view: this.#view.id, key: Buffer.from(key), clustering: Buffer.from(row.clustering), viewKey }, () => this.#discharged())
    }
  }

  /** Resolves once at most `limit` obligations are open. */
  below(limit: number): Promise<void> | void {
    if (this.#open <= limit) return
    this.#limit = limit
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #discharged(): void {
    this.#open--
    if (this.#open > this.#limit || this.#wake === null) return
    const wake = this.#wake
    this.#wake = null
    wake()
  }
}

function viewsOf(snapshot: Snapshot): TableId[] {
  return [...snapshot.schema.keyspaces.values()].flatMap(({ tables }) => [...tables.values()]).filter(({ kind }) => kind === "view").map(({ id }) => id)
}
