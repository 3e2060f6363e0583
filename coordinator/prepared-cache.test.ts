import { expect, test } from "vitest"
import type { Prepared } from "../cql/plan.ts"
import { Buffer } from "../runtime/pure.ts"
import { PreparedCache } from "./prepared-cache.ts"

function statement(text: string): Prepared {
  return { text, resultMetadata: { columns: [], id: Buffer.from(text) } } as unknown as Prepared
}

test("holds as many as it may, and drops those that were not used", () => {
  const cache = new PreparedCache(3)
  for (const name of ["a", "b", "c"]) cache.set(name, statement(name))
  expect(cache.get("a")?.prepared.text).toBe("a")
  cache.set("d", statement("d"))
  expect([..."abcd"].filter((name) => cache.get(name) !== null)).toEqual(["a", "c", "d"])
  expect(cache.size).toBe(3)
})

test("is bounded when everything is used", () => {
  const cache = new PreparedCache(3)
  for (let index = 0; index < 100; index++) {
    cache.set(String(index), statement(String(index)))
    for (let used = 0; used <= index; used++) cache.get(String(used))
    expect(cache.size).toBeLessThanOrEqual(3)
  }
})

test("a statement compiled anew takes the place of the old one", () => {
  const cache = new PreparedCache(3)
  const entry = cache.set("a", statement("old"))
  expect(cache.set("a", statement("new"))).toBe(entry)
  expect([entry.prepared.text, entry.resultMetadataId, cache.size]).toEqual(["new", "new", 1])
})
