// The builder alone: a build that cannot be announced is announced later, and is not made again; one that fails is.
import { expect, test } from "vitest"
import { createSimulation } from "../../runtime/simulated/simulation.ts"
import type { LocalStore, RowCursor } from "../../data/local-store.ts"
import { DEFAULT_TABLE_OPTIONS } from "../../data/table-options.ts"
import type { SchemaDescriptor, TableDescriptor } from "../../data/schema.ts"
import { encodeClustering, rowBytes } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Change, ClusterMetadata, Snapshot } from "../cluster/cluster-metadata.ts"
import { applyChange, buildSnapshot, emptyState } from "../cluster/snapshot.ts"
import { IndexBuilder } from "./index-builder.ts"

const INT = { kind: "native", name: "int" } as const
const TABLE: TableDescriptor = {
  id: 1000, uuid: "5a1c395e-b41f-11e5-9f22-ba0be0483c18", keyspace: "ks", name: "t", nextColumnId: 2, droppedColumns: [], view: null, epoch: 0, truncationEpoch: 0, options: DEFAULT_TABLE_OPTIONS,
  columns: [
    { id: 0, name: "k", type: INT, kind: "partition_key", position: 0, reversed: false, hidden: null }, { id: 1, name: "v", type: INT, kind: "regular", position: -1, reversed: false, hidden: null },
  ],
  indexes: [{ id: 1001, name: "i", kind: "COMPOSITES", column: 1, part: "simple", options: {} }],
}
const SCHEMA: SchemaDescriptor = {
  nextTableId: 1002,
  keyspaces: [{ name: "ks", durableWrites: true, types: [], tables: [TABLE], replication: { class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: "1" } }],
}

/** Metadata that refuses the first `refusals` changes, and a store of one row that fails the first `failures` walks. */
function parts(refusals: number, failures: number): { metadata: ClusterMetadata; store: LocalStore; proposed: Change[]; walks: () => number; written: Buffer[] } {
  const state = applyChange(emptyState("test"), { kind: "schema", expected: 0, schema: SCHEMA })
  const snapshot: Snapshot = buildSnapshot(state, [], null)
  const proposed: Change[] = []
  const written: Buffer[] = []
  let walks = 0
  const metadata: Partial<ClusterMetadata> = {
    current: () => snapshot,
    subscribe: () => () => undefined,
    propose: (change) => {
      proposed.push(change)
      return proposed.length <= refusals ? Promise.reject(new Error("nobody orders the log")) : Promise.resolve(9)
    },
  }
  const cursor: RowCursor = {
    next: (_, sink) => {
      walks++
      if (walks <= failures) return Promise.reject(new Error("the disk is slow today"))
      const key = Buffer.from([0, 0, 0, 7])
      const bytes = rowBytes({
        isStatic: false, clustering: encodeClustering([]), marker: null, deletion: null, complexDeletions: [],
        cells: [{ column: 1, path: null, kind: 0, timestampHigh: 0, timestampLow: 5, ttlSeconds: 0, expiresAt: 0, value: key }],
      })
      sink.partition(tokenOf(key), key, null)
      sink.row(bytes, 0, bytes.length, true)
      sink.partitionEnd()
      return Promise.resolve(false)
    },
    close: () => undefined,
  }
  const store: Partial<LocalStore> = {
    cursor: () => cursor,
    apply: (mutation) => {
      written.push(Buffer.from(mutation))
      return { segment: 1, offset: 0 }
    },
    lastPosition: () => ({ segment: 1, offset: 0 }),
    onDurable: (_, done) => done(),
  }
  return { metadata: metadata as ClusterMetadata, store: store as LocalStore, proposed, walks: () => walks, written }
}

async function build(refusals: number, failures: number): Promise<ReturnType<typeof parts>> {
  const simulation = createSimulation(1)
  const { clock } = simulation.start(1)
  const made = parts(refusals, failures)
  const builder = new IndexBuilder({ self: 1, store: () => made.store, metadata: made.metadata, clock, log: () => undefined })
  builder.start()
  await simulation.run(10_000)
  builder.stop()
  return made
}

test("a build writes the entries of every row and is announced", async () => {
  const { proposed, walks, written } = await build(0, 0)
  expect(walks()).toBe(1)
  expect(written.map((mutation) => mutation.includes(Buffer.from([0, 0, 0, 4, 0, 0, 0, 7])))).toEqual([true])
  expect(proposed).toEqual([{ kind: "viewBuild", view: 1001, node: 1, status: "SUCCESS" }])
})

test("one that cannot be announced is announced later, without another walk", async () => {
  const { proposed, walks } = await build(3, 0)
  expect([walks(), proposed.length]).toEqual([1, 4])
})

test("one that fails is made again", async () => {
  const { proposed, walks } = await build(0, 2)
  expect([walks(), proposed.length]).toEqual([3, 1])
})
