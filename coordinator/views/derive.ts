// The step between a base write and its views, under the row lock and before the one log append (views.md, section 2):
// for every view the keys that must hear of this write. An entry for a key that this node owns itself goes into the
// same record; for the other owners the record carries an obligation.
import { ByteWriter } from "../../data/bytes.ts"
import { FlatEntryWriter, type FlatView, KeyParts, KeysToNotify, flatViewsOf } from "../../data/flat-entry.ts"
import type { FlatRow } from "../../data/flat-row.ts"
import type { Derive, DerivedWriter, FlatDerive, ObligationWriter, RowView } from "../../data/local-store.ts"
import { tokenHigh, tokenLow } from "../../data/murmur3.ts"
import { MutationWriter } from "../../data/mutation.ts"
import type { TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import { keysToNotify } from "../../data/view-entry.ts"
import type { Buffer } from "../../runtime/pure.ts"
import type { Snapshot } from "../cluster/cluster-metadata.ts"
import { viewPartitionKey, writeEntry } from "./entry-mutation.ts"
import { FlatObligations, encodeObligation } from "./obligation.ts"

/** Gives every obligation of this process a number of its own, below 2^32. */
export class ObligationCounter {
  readonly incarnation: number
  #last = 0

  /** `incarnation`: differs from that of every earlier start of this node. */
  constructor(incarnation: number) {
    this.incarnation = incarnation
  }
  next(): number {
    this.#last = (this.#last + 1) >>> 0
    return this.#last
  }
}

export function createDerive(self: number, current: () => Snapshot, counter: ObligationCounter): Derive {
  const plain = new PlainDerivation(self, current, counter)
  const derive = (base: TableSchema, existing: RowView | null, incoming: RowView, merged: RowView, out: ObligationWriter): void => plain.derive(base, existing, incoming, merged, out)
  return Object.assign(derive, { flat: new FlatDerivation(self, current, counter) })
}

/** Any row, any view: from objects. */
class PlainDerivation {
  readonly #self: number
  readonly #current: () => Snapshot
  readonly #counter: ObligationCounter
  readonly #writer = new MutationWriter(1024)
  readonly #bytes = new ByteWriter(256)

  constructor(self: number, current: () => Snapshot, counter: ObligationCounter) {
    this.#self = self
    this.#current = current
    this.#counter = counter
  }

  derive(base: TableSchema, existing: RowView | null, incoming: RowView, merged: RowView, out: ObligationWriter): void {
    for (const view of base.views) {
      for (const viewKey of keysToNotify(base, view, existing, incoming, merged)) this.#notify(base, view, merged, viewKey, out)
    }
  }

  #notify(base: TableSchema, view: TableSchema, merged: RowView, viewKey: readonly Buffer[], out: ObligationWriter): void {
    const token = tokenOf(viewPartitionKey(view, viewKey))
    const targets = this.#current().placement(view.keyspace, token.high, token.low).write
    const selfWritten = targets.includes(this.#self)
    if (selfWritten) {
      this.#writer.reset()
      out.entry(writeEntry(this.#writer, base, view, merged, viewKey))
    }
    if (targets.length === (selfWritten ? 1 : 0)) return
    this.#bytes.reset()
    const { incarnation } = this.#counter
    encodeObligation(
      { selfWritten, view: view.id, base: base.id, incarnation, counter: this.#counter.next(), token, key: merged.key, clustering: merged.row.clustering, viewKey },
      this.#bytes,
    )
    out.obligation(this.#bytes.take())
  }
}

/** The same without objects for usual rows of usual views (flat-entry.ts), which are nearly all: less than half the cost. */
class FlatDerivation implements FlatDerive {
  readonly #self: number
  readonly #current: () => Snapshot
  readonly #counter: ObligationCounter
  readonly #parts = new KeyParts()
  readonly #keys = new KeysToNotify()
  readonly #entries = new FlatEntryWriter()
  readonly #obligations: FlatObligations

  constructor(self: number, current: () => Snapshot, counter: ObligationCounter) {
    this.#self = self
    this.#current = current
    this.#counter = counter
    this.#obligations = new FlatObligations(counter.incarnation)
  }

  takes(base: TableSchema): boolean {
    return flatViewsOf(base) !== null
  }

  row(base: TableSchema, key: Buffer, keyStart: number, keyEnd: number, existing: FlatRow | null, incoming: FlatRow, merged: FlatRow, out: DerivedWriter): void {
    const views = flatViewsOf(base) as readonly FlatView[]
    const parts = this.#parts
    const keys = this.#keys
    const snapshot = this.#current()
    parts.set(base, key, keyStart, keyEnd, merged)
    this.#obligations.begin(base.id, key, keyStart, keyEnd, merged, parts)
    for (let index = 0; index < views.length; index++) {
      const view = views[index] as FlatView
      keys.find(view, parts, existing, incoming, merged)
      for (let at = 0; at < keys.count; at++) {
        const row = keys.rows[at] as FlatRow
        const cell = keys.cells[at] as number
        this.#entries.place(view, parts, row, cell)
        const high = tokenHigh
        const low = tokenLow
        const targets = snapshot.placement(view.view.keyspace, high, low).write
        const selfWritten = targets.includes(this.#self)
        if (selfWritten) {
          this.#entries.write(out.beginEntry(), view, parts, row, cell, merged, high, low)
          out.endEntry()
        }
        if (targets.length === (selfWritten ? 1 : 0)) continue
        this.#obligations.write(out.beginObligation(), selfWritten, view, this.#counter.next(), high, low, row, cell)
        out.endObligation()
      }
    }
  }
}
