// Deletions that cover many rows: every row of the partition leaves the view with the one record of the deletion.
import { expect, test } from "vitest"
import { MutationWriter } from "../../data/mutation.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { RangeTombstone } from "../../data/row.ts"
import { baseRow, deletionAt } from "../../coordinator/views/testing.ts"
import { Buffer } from "../../runtime/pure.ts"
import { ViewEngine } from "./view-engine.ts"

const BY_A = { keys: ["a"], select: ["b"] } as const

function deletion(engine: ViewEngine, fill: (writer: MutationWriter) => void): Buffer {
  const writer = new MutationWriter()
  writer.begin(Buffer.from("p"), 0, 1)
  writer.beginUpdate(engine.base.id)
  fill(writer)
  writer.endUpdate()
  return Buffer.from(writer.end())
}

const name = (index: number): string => `q${String(index).padStart(6, "0")}`
const bound = (index: number): Buffer => encodeClustering([Buffer.from(name(index))])

async function filled(own: boolean, rows: number): Promise<ViewEngine> {
  const engine = await ViewEngine.open(`deletions ${own} ${rows}`, BY_A, own)
  for (let from = 0; from < rows; from += 250) {
    engine.apply("p", Array.from({ length: Math.min(250, rows - from) }, (_, index) => baseRow(name(from + index), 1, { a: "x", b: "1" })))
  }
  engine.deliverAll()
  expect(engine.entries(0)).toHaveLength(rows)
  return engine
}

test("a partition, with a record far above the largest mutation, and a restart after it", async () => {
  const engine = await filled(true, 3000)
  await engine.flush()
  engine.applyMutation(deletion(engine, (writer) => writer.partitionDeletion(deletionAt(5))))
  expect(engine.entries(0)).toEqual([])
  await engine.restart()
  expect([engine.entries(0).length, engine.read(engine.base, 0).live.length]).toEqual([0, 0])
})

test.each([true, false])("ranges, with rows of the same mutation and rows that are newer (entries in the record: %s)", async (own) => {
  const engine = await filled(own, 20)
  engine.apply("p", [baseRow(name(7), 9, { a: "x", b: "newer" })])
  const range: RangeTombstone = { start: bound(5), startInclusive: true, end: bound(15), endInclusive: false, deletion: deletionAt(5) }
  engine.applyMutation(
    deletion(engine, (writer) => {
      writer.rangeTombstone(range)
      writer.row(baseRow(name(10), 6, { a: "y" }))
      writer.row(baseRow(name(11), 4, { a: "z" }))
    }),
  )
  await engine.restart()
  engine.deliverAll()
  const shown = engine.entries(0).map(({ key }) => key.join("/"))
  const kept = [0, 1, 2, 3, 4, 7, 15, 16, 17, 18, 19].map((index) => `x/p/${name(index)}`)
  expect(shown.toSorted()).toEqual([...kept, `y/p/${name(10)}`].toSorted())
  // What comes late, and is older than the range's deletion, is seen nowhere.
  engine.apply("p", [baseRow(name(6), 3, { a: "late" }), baseRow(name(100), 3, { a: "late" })])
  engine.deliverAll()
  expect(engine.entries(0)).toHaveLength(13)
})
