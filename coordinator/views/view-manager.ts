// The views of one node, wired together: what a write derives, what is owed to whom, what arrives, what is built. Indexes
// are built beside them: they too are made of rows that are there already.
import type { Derive, LocalStore, LogPosition } from "../../data/local-store.ts"
import type { TableId } from "../../data/schema.ts"
import type { Token } from "../../data/topology.ts"
import type { Clock } from "../../runtime/clock.ts"
import type { ClusterMetadata, Liveness } from "../cluster/cluster-metadata.ts"
import type { MessageRouter } from "../messages.ts"
import { IndexBuilder } from "../indexes/index-builder.ts"
import { IndexSweeper } from "../indexes/index-sweeper.ts"
import { BuildAgreement } from "./build-agreement.ts"
import { ViewBuilder } from "./builder.ts"
import { ViewMessenger } from "./delivery.ts"
import { ObligationCounter, createDerive } from "./derive.ts"
import { MAX_OPEN, Outbox } from "./outbox.ts"

export interface ViewManagerOptions {
  readonly self: number
  /** Differs from that of every earlier start of this node. */
  readonly incarnation: number
  readonly router: MessageRouter
  readonly metadata: ClusterMetadata
  readonly liveness: Liveness
  readonly clock: Clock
  /** The store is opened after the manager, since its replay reports obligations. */
  readonly store: () => LocalStore
  readonly log: (line: string) => void
  /** Obligations kept in memory; unset: outbox.ts's own bound. */
  readonly maxOpen?: number
}

export class ViewManager {
  /** To be handed to every LocalStore.apply. */
  readonly derive: Derive
  readonly #outbox: Outbox
  readonly #builder: ViewBuilder
  readonly #indexBuilder: IndexBuilder
  readonly #indexSweeper: IndexSweeper
  readonly #options: ViewManagerOptions
  readonly #maxOpen: number
  #unsubscribe: (() => void) | null = null
  /** Found in the log before the store was open; of segments with too many, only where they are. */
  readonly #replayed: { readonly bytes: Uint8Array; readonly position: LogPosition }[] = []
  readonly #replayedSegments = new Set<number>()
  #open = false

  constructor(options: ViewManagerOptions) {
    this.#options = options
    const { self, router, metadata, liveness, clock, store, log } = options
    const current = metadata.current.bind(metadata)
    this.#maxOpen = options.maxOpen ?? MAX_OPEN
    this.derive = createDerive(self, current, new ObligationCounter(options.incarnation))
    const messenger = new ViewMessenger({
      incarnation: options.incarnation, router, store, metadata, clock, log,
      answered: (target, batch, refused) => this.#outbox.answered(target, batch, refused),
    })
    this.#outbox = new Outbox({ self, store, current, liveness, clock, delivery: messenger, maxOpen: this.#maxOpen })
    const agreement = new BuildAgreement({ router, store, metadata, liveness, clock })
    this.#builder = new ViewBuilder({ self, store, metadata, outbox: this.#outbox, agreement, clock, log })
    this.#indexBuilder = new IndexBuilder({ self, store, metadata, clock, log })
    this.#indexSweeper = new IndexSweeper({ store, metadata, clock, log })
  }

  /** View entries this node still owes others. */
  get pending(): number {
    return this.#outbox.size + this.#replayed.length + this.#replayedSegments.size
  }

  /** View entries this node still owes others, by view; of those that are in the log alone only how many of all views there are. */
  pendingByView(): { readonly byView: ReadonlyMap<TableId, number>; readonly inLog: number } {
    const byView = this.#outbox.keptByView()
    return { byView, inLog: this.pending - this.#outbox.kept }
  }

  /**
   * StoreEvents.owed. While a view is being built everything is owed to it, and before `start` nobody knows what is (F2 of
   * docs/views.md).
   */
  owed(base: TableId): readonly Token[] | "all" {
    const { self, metadata } = this.#options
    const { schema, viewBuilds } = metadata.current()
    const views = schema.tableById(base)?.views ?? []
    if (!this.#open || views.some((view) => viewBuilds.get(view.id)?.get(self) !== "SUCCESS")) return "all"
    return this.#outbox.owedOf(base)
  }

  /** StoreEvents.obligation. */
  obligation(bytes: Uint8Array, position: LogPosition): void {
    if (this.#open) this.#outbox.add(bytes, position)
    else if (this.#replayed.length < this.#maxOpen) this.#replayed.push({ bytes, position })
    else this.#replayedSegments.add(position.segment)
  }

  /** REQUIRES: the store is open. */
  start(): void {
    const { metadata, store } = this.#options
    this.#open = true
    for (const { bytes, position } of this.#replayed) this.#outbox.add(bytes, position)
    this.#replayed.length = 0
    for (const segment of this.#replayedSegments) this.#outbox.addSegment(segment)
    this.#replayedSegments.clear()
    store().obligationsTaken()
    this.#unsubscribe = metadata.subscribe((next, previous) => this.#outbox.metadataChanged(next, previous))
    this.#outbox.start()
    this.#builder.start()
    this.#indexBuilder.start()
    this.#indexSweeper.start()
  }

  nodeUp(node: number): void {
    this.#outbox.nodeUp(node)
  }

  stop(): void {
    this.#unsubscribe?.()
    this.#builder.stop()
    this.#indexBuilder.stop()
    this.#indexSweeper.stop()
    this.#outbox.stop()
  }
}
