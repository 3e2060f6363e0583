// The step between a base write and its views, under the row lock and before the one log append (views.md, section 2):
// for every view the keys that must hear of this write. An entry for a key that this node owns itself goes into the
// same record; for the other owners the record carries an obligation.
import { ByteWriter } from "../../data/bytes.ts"
import type { Derive, ObligationWriter, RowView } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import type { TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import { keysToNotify } from "../../data/view-entry.ts"
import type { Buffer } from "../../runtime/pure.ts"
import type { Snapshot } from "../cluster-metadata.ts"
import { viewPartitionKey, writeEntry } from "./entry-mutation.ts"
import { encodeObligation } from "./obligation.ts"

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
  const writer = new MutationWriter(1024)
  const bytes = new ByteWriter(256)

  function notify(base: TableSchema, view: TableSchema, merged: RowView, viewKey: readonly Buffer[], out: ObligationWriter): void {
    const token = tokenOf(viewPartitionKey(view, viewKey))
    const targets = current().placement(view.keyspace, token.high, token.low).write
    const selfWritten = targets.includes(self)
    if (selfWritten) {
      writer.reset()
      out.entry(writeEntry(writer, base, view, merged, viewKey))
    }
    if (targets.length === (selfWritten ? 1 : 0)) return
    bytes.reset()
    encodeObligation(
      { selfWritten, view: view.id, base: base.id, incarnation: counter.incarnation, counter: counter.next(), key: merged.key, clustering: merged.row.clustering, viewKey },
      bytes,
    )
    out.obligation(bytes.take())
  }

  return (base, existing, incoming, merged, out) => {
    for (const view of base.views) {
      for (const viewKey of keysToNotify(base, view, existing, incoming, merged)) notify(base, view, merged, viewKey, out)
    }
  }
}
