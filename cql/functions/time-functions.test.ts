import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { native } from "./function.ts"
import type { FunctionArgument } from "./function.ts"
import { resolveFunction } from "./registry.ts"
import { decodeMs, encodeMs, newTimeUuid, timeUuidMs, writeTimeUuidTime } from "./time-functions.ts"

const context = { nowMicros: () => 1_700_000_000_123_456, randomBytes: (count: number) => Buffer.alloc(count, 0xab) }
const site = { table: null, receiver: null }

function argument(type: Parameters<typeof native>[0]): FunctionArgument {
  return { text: type, type: native(type), test: (wanted) => (wanted.kind === "native" && wanted.name === type ? "exact" : "none") }
}

function call(name: string, types: Parameters<typeof native>[0][], ...values: Buffer[]): Buffer | null {
  const resolved = resolveFunction({ keyspace: null, name }, types.map(argument), site)
  if (resolved?.kind !== "scalar") throw new Error(`${name} is no scalar function`)
  return resolved.execute(values, context) as Buffer | null
}

test("a timeuuid's time is exact, also where 60 bits do not fit a double", () => {
  for (const ms of [-12_219_292_800_000, -1, 0, 1, 1_700_000_000_123, 103_072_857_660_683]) {
    const uuid = Buffer.alloc(16)
    writeTimeUuidTime(uuid, 0, ms, 9_999)
    expect(timeUuidMs(uuid)).toBe(ms)
    const steps = ((BigInt(uuid.readUInt16BE(6) & 0xfff) << 48n) | (BigInt(uuid.readUInt16BE(4)) << 32n) | BigInt(uuid.readUInt32BE(0)))
    expect(steps).toBe((BigInt(ms) + 12_219_292_800_000n) * 10_000n + 9_999n)
  }
})

test("now() is a version 1 UUID of the context's clock", () => {
  const uuid = newTimeUuid(context)
  expect(uuid.readUInt16BE(6) >>> 12).toBe(1)
  expect((uuid[8] as number) >>> 6).toBe(2)
  expect(timeUuidMs(uuid)).toBe(1_700_000_000_123)
})

test("conversions agree with the documented values", () => {
  const uuid = Buffer.from("2d0ff860abd811edafa10242ac120002", "hex")
  const ms = timeUuidMs(uuid)
  expect(decodeMs(call("totimestamp", ["timeuuid"], uuid) as Buffer)).toBe(ms)
  expect(decodeMs(call("to_unix_timestamp", ["timestamp"], encodeMs(ms)) as Buffer)).toBe(ms)
  expect((call("todate", ["timestamp"], encodeMs(86_400_000)) as Buffer).readUInt32BE(0)).toBe(0x80000001)
  expect((call("todate", ["timestamp"], encodeMs(-1)) as Buffer).readUInt32BE(0)).toBe(0x7fffffff)
  expect(call("mintimeuuid", ["timestamp"], encodeMs(ms))?.subarray(8).toString("hex")).toBe("8080808080808080")
  expect(call("max_timeuuid", ["timestamp"], encodeMs(ms))?.subarray(8).toString("hex")).toBe("7f7f7f7f7f7f7f7f")
})

test("calls that fit no function are refused in Cassandra's words", () => {
  expect(resolveFunction({ keyspace: null, name: "nosuch" }, [], site)).toBe(null)
  expect(() => call("todate", ["int"])).toThrow(
    "Invalid call to function todate, none of its type signatures match (known type signatures: system.todate : (timestamp) -> date, system.todate : (timeuuid) -> date)",
  )
  expect(() => call("now", ["int"])).toThrow("Invalid number of arguments in call to function system.now: 0 required but 1 provided")
  expect(() => call("mintimeuuid", ["int"])).toThrow("Type error: int cannot be passed as argument 0 of function system.mintimeuuid of type timestamp")
})
