import { expect, test } from "vitest"
import { ByteReader } from "../../data/bytes.ts"
import { MutationWriter, visitMutation } from "../../data/mutation.ts"
import { Buffer } from "../../runtime/pure.ts"
import { firstTable, keepUpdates, tablesOf } from "./mutation-tables.ts"

function mutation(...tables: number[]): Buffer {
  const writer = new MutationWriter()
  const key = Buffer.from("key")
  writer.begin(key, 0, key.length)
  for (const table of tables) {
    writer.beginUpdate(table)
    writer.partitionDeletion({ timestampHigh: 0, timestampLow: table, localDeletionTime: 1 })
    writer.endUpdate()
  }
  return Buffer.from(writer.end())
}

test("the tables a mutation writes, in order", () => {
  expect([firstTable(mutation(7, 8)), tablesOf(mutation(7, 8, 9)), tablesOf(mutation())]).toEqual([7, [7, 8, 9], []])
})

test("updates that are not kept are cut out, the rest is a whole mutation", () => {
  const whole = mutation(7, 8, 9)
  expect(keepUpdates(whole, () => true)).toBe(whole)
  expect(keepUpdates(whole, () => false)).toBe(null)
  const kept = keepUpdates(whole, (table) => table !== 8) as Buffer
  expect(kept).toEqual(mutation(7, 9))
  const seen: number[] = []
  visitMutation(new ByteReader(kept), { update: (table) => void seen.push(table), item: () => undefined })
  expect(seen).toEqual([7, 9])
})
