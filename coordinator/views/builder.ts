// Builds a view on a table that holds data: walks this node's part of the base table and makes, for every row, the
// obligation that a write of it would make. Writes that arrive meanwhile derive theirs by themselves, since the view is
// in the schema before the walk begins. When all obligations of the walk are discharged the view is built here.
//
// What it does not do: resume. A build that a restart interrupted begins again.
import type { LocalStore, RowSink } from "../../data/local-store.ts"
import { ByteReader } from "../../data/bytes.ts"
import { coveringDeletion, mergeRows } from "../../data/reconcile.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import { decodeRow } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { FULL_RANGE } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import { keysToNotify } from "../../data/view-entry.ts"
import type { Clock } from "../../runtime/clock.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { ClusterMetadata, Snapshot } from "../cluster-metadata.ts"
import type { Outbox } from "./outbox.ts"

const ROWS_PER_STEP = 500
/** The walk waits while more obligations than this are open. */
const MAX_OPEN = 8000
const RETRY_MS = 1000

export interface ViewBuilderOptions {
  readonly self: number
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly outbox: Outbox
  readonly clock: Clock
  readonly log: (line: string) => void
}

export class ViewBuilder {
  readonly #options: ViewBuilderOptions
  readonly #building = new Set<number>()
  #stopped = false
  #unsubscribe: (() => void) | null = null

  constructor(options: ViewBuilderOptions) {
    this.#options = options
  }

  start(): void {
    this.#unsubscribe = this.#options.metadata.subscribe((snapshot) => this.#look(snapshot))
    this.#look(this.#options.metadata.current())
  }

  stop(): void {
    this.#stopped = true
    this.#unsubscribe?.()
  }

  #look(snapshot: Snapshot): void {
    for (const keyspace of snapshot.schema.keyspaces.values()) {
      for (const table of keyspace.tables.values()) {
        if (table.kind !== "view" || this.#building.has(table.id)) continue
        if (snapshot.viewBuilds.get(table.id)?.get(this.#options.self) === "SUCCESS") continue
        this.#building.add(table.id)
        void this.#run(table.id)
      }
    }
  }

  async #run(view: number): Promise<void> {
    while (!this.#stopped) {
      try {
        const built = await this.#build(view)
        if (!built) break
        await this.#report(view, "SUCCESS")
        break
      } catch (error) {
        this.#options.log(`View build interrupted, begins again: ${String(error)}`)
        await this.#options.clock.sleep(RETRY_MS)
      }
    }
    this.#building.delete(view)
  }

  async #report(view: number, status: "STARTED" | "SUCCESS"): Promise<void> {
    await this.#options.metadata.propose({ kind: "viewBuild", view, node: this.#options.self, status })
  }

  /** False when the view is dropped meanwhile. */
  async #build(viewId: number): Promise<boolean> {
    const { metadata, store, log } = this.#options
    const view = metadata.current().schema.tableById(viewId)
    if (view?.view === null || view?.view === undefined) return false
    const base = metadata.current().schema.tableById(view.view.baseTable)
    if (base === null) return false
    log(`Starting new view build for range (all) of ${view.keyspace}.${view.name}`)
    await this.#report(viewId, "STARTED")
    const cursor = store().cursor(base.id, FULL_RANGE, null)
    const sink = new BuildSink(base, view, this.#options.outbox)
    try {
      while (await cursor.next(ROWS_PER_STEP, sink)) {
        await sink.below(MAX_OPEN)
        if (this.#stopped || metadata.current().schema.tableById(viewId) === null) return false
      }
    } finally {
      cursor.close()
    }
    await sink.below(0)
    if (this.#stopped) return false
    log(`Completed view build of ${view.keyspace}.${view.name}: ${sink.rows} rows`)
    return true
  }
}

class BuildSink implements RowSink {
  rows = 0
  readonly #base: TableSchema
  readonly #view: TableSchema
  readonly #outbox: Outbox
  #token: Token = { high: 0, low: 0 }
  #key: Buffer = Buffer.alloc(0)
  #deletion: Deletion | null = null
  #tombstones: RangeTombstone[] = []
  #open = 0
  #limit = 0
  #wake: (() => void) | null = null

  constructor(base: TableSchema, view: TableSchema, outbox: Outbox) {
    this.#base = base
    this.#view = view
    this.#outbox = outbox
  }

  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    this.#token = token
    this.#key = Buffer.from(key)
    this.#deletion = deletion
    this.#tombstones = []
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.#tombstones.push(tombstone)
  }
  row(bytes: Uint8Array, from: number, to: number): boolean {
    const row = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    if (!row.isStatic) this.#add(row)
    return true
  }
  partitionEnd(): void {}

  #add(found: Row): void {
    const row = mergeRows([found], coveringDeletion(this.#base, found.clustering, this.#deletion, this.#tombstones))
    if (row === null) return
    this.rows++
    const state = { row, key: this.#key, token: this.#token }
    for (const viewKey of keysToNotify(this.#base, this.#view, null, state, state)) {
      this.#open++
      this.#outbox.addBuilt({ base: this.#base.id, view: this.#view.id, key: this.#key, clustering: Buffer.from(row.clustering), viewKey }, () => this.#discharged())
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
