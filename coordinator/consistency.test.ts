import { describe, expect, test } from "vitest"
import { CONSISTENCY } from "../cql/errors.ts"
import { blockFor, isDataCenterLocal, isEachQuorum, validateForRead, validateForWrite } from "./consistency.ts"
import { parseReplication } from "./cluster/replication.ts"

const simple = (factor: number) => parseReplication({ class: "SimpleStrategy", replication_factor: String(factor) }, 0)
const twoCenters = parseReplication({ class: "NetworkTopologyStrategy", dc1: "3", dc2: "2" }, 0)

describe("acknowledgements needed", () => {
  test.each([
    ["any", [1, 1, 1], 1], ["one", [1, 1, 1], 1], ["localOne", [1, 1, 1], 1], ["two", [2, 2, 2], 2], ["three", [3, 3, 3], 3],
    ["quorum", [1, 2, 3], 3], ["serial", [1, 2, 3], 3], ["all", [1, 3, 5], 5], ["localQuorum", [1, 2, 3], 2], ["localSerial", [1, 2, 3], 2],
    ["eachQuorum", [1, 2, 3], 4],
  ] as const)("%s", (name, ofSimple, ofTwoCenters) => {
    expect([1, 3, 5].map((factor) => blockFor(CONSISTENCY[name], simple(factor), "dc1"))).toEqual(ofSimple)
    expect(blockFor(CONSISTENCY[name], twoCenters, "dc1")).toBe(ofTwoCenters)
  })
  test("a quorum of an even number is more than half", () => {
    expect([2, 4, 6].map((factor) => blockFor(CONSISTENCY.quorum, simple(factor), "dc1"))).toEqual([2, 3, 4])
    expect(blockFor(CONSISTENCY.localQuorum, twoCenters, "dc2")).toBe(2)
  })
})

test("which levels count only the own data centre, and which count each", () => {
  const names = Object.keys(CONSISTENCY) as (keyof typeof CONSISTENCY)[]
  expect(names.filter((name) => isDataCenterLocal(CONSISTENCY[name]))).toEqual(["localQuorum", "localSerial", "localOne"])
  expect(names.filter((name) => isEachQuorum(CONSISTENCY[name], twoCenters))).toEqual(["eachQuorum"])
  expect(isEachQuorum(CONSISTENCY.eachQuorum, simple(3))).toBe(false)
})

test("levels that make no sense are refused in Cassandra's words", () => {
  expect(() => validateForRead(CONSISTENCY.any)).toThrow("ANY ConsistencyLevel is only supported for writes")
  expect(() => validateForWrite(CONSISTENCY.serial)).toThrow("You must use conditional updates for serializable writes")
  expect(() => validateForWrite(CONSISTENCY.localSerial)).toThrow("You must use conditional updates for serializable writes")
  validateForRead(CONSISTENCY.eachQuorum)
  validateForWrite(CONSISTENCY.any)
})
