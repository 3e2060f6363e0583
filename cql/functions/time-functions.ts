// Functions of dates and times: now() and its relatives, and conversions between timeuuid, timestamp and date.
//
// A timeuuid holds 60 bits of 100-nanosecond steps since 1582-10-15 in the order low 32, middle 16, high 12; a timestamp
// is milliseconds since 1970; a date is days since 1970 plus 2^31. Steps fit no double: they are kept as milliseconds and
// the rest below a millisecond.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import type { DurationValue } from "../../data/types/operations.ts"
import { DURATION } from "../../data/types/times.ts"
import { InvalidRequestError } from "../errors.ts"
import type { FunctionContext } from "./context.ts"
import { checkDayPrecision, checkMillisecondPrecision, floorTime, floorTimeOfDay } from "./duration-arithmetic.ts"
import { type Overload, type ScalarFunction, native, scalar } from "./function.ts"

const TIMEUUID = native("timeuuid")
const TIMESTAMP = native("timestamp")
const DATE = native("date")
const TIME = native("time")
const BIGINT = native("bigint")
const DURATION_TYPE = native("duration")

const STEPS_PER_MS = 10_000
/** Milliseconds from 1582-10-15 to 1970-01-01. */
const GREGORIAN_TO_UNIX_MS = 12_219_292_800_000
/** The last whole millisecond of 60 bits of steps: in the year 5236. */
const LAST_TIMEUUID_MS = Math.floor(2 ** 60 / STEPS_PER_MS) - 1 - GREGORIAN_TO_UNIX_MS
const MS_PER_DAY = 86_400_000
const DATE_EPOCH = 0x80000000

/** Writes the time part of a timeuuid (its first 8 bytes, version 1) for `ms` since 1970 and `steps` of 100 ns. */
export function writeTimeUuidTime(out: Buffer, at: number, ms: number, steps: number): void {
  // (ms * 10^4 + steps) as 60 bits: the product needs more than 53, so it is built from the low 32 bits and the rest.
  const total = ms + GREGORIAN_TO_UNIX_MS
  const high = Math.floor(total / 0x100000000)
  const low = (total % 0x100000000) * STEPS_PER_MS + steps
  const lowBits = low % 0x100000000
  const highBits = high * STEPS_PER_MS + Math.floor(low / 0x100000000)
  out.writeUInt32BE(lowBits, at)
  out.writeUInt16BE(highBits & 0xffff, at + 4)
  out.writeUInt16BE(0x1000 | ((highBits >>> 16) & 0x0fff), at + 6)
}

/** Milliseconds since 1970 of a timeuuid. */
export function timeUuidMs(uuid: Buffer): number {
  const highBits = ((uuid.readUInt16BE(6) & 0x0fff) << 16) | uuid.readUInt16BE(4)
  // Divide the 60-bit number by 10^4 in two steps that stay exact.
  const quotient = Math.floor(highBits / STEPS_PER_MS)
  const rest = (highBits % STEPS_PER_MS) * 0x100000000 + uuid.readUInt32BE(0)
  return quotient * 0x100000000 + Math.floor(rest / STEPS_PER_MS) - GREGORIAN_TO_UNIX_MS
}

/** A version 1 UUID of now with random clock sequence and node (multicast bit set, as no network card has). */
export function newTimeUuid(context: FunctionContext): Buffer {
  const uuid = Buffer.allocUnsafe(16)
  const micros = context.nowMicros()
  writeTimeUuidTime(uuid, 0, Math.floor(micros / 1000), (micros % 1000) * 10)
  context.randomBytes(8).copy(uuid, 8)
  uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80
  uuid[10] = (uuid[10] as number) | 0x01
  return uuid
}

export function decodeDuration(bytes: Buffer): DurationValue {
  return DURATION.decode(bytes) as DurationValue
}
export function encodeMs(ms: number): Buffer {
  if (!(ms >= -(2 ** 63) && ms < 2 ** 63)) throw new InvalidRequestError(`${ms} ms since epoch is out of range`)
  const out = Buffer.allocUnsafe(8)
  const high = Math.floor(ms / 0x100000000)
  out.writeInt32BE(high, 0)
  out.writeUInt32BE(ms - high * 0x100000000, 4)
  return out
}
export function decodeMs(bytes: Buffer): number {
  return bytes.readInt32BE(0) * 0x100000000 + bytes.readUInt32BE(4)
}
export function encodeDate(ms: number): Buffer {
  const out = Buffer.allocUnsafe(4)
  const days = Math.floor(ms / MS_PER_DAY) + DATE_EPOCH
  if (days < 0 || days > 0xffffffff) throw new InvalidRequestError(`Cannot convert ${ms} ms since epoch to a date: out of range`)
  out.writeUInt32BE(days, 0)
  return out
}
export function decodeDateMs(bytes: Buffer): number {
  return (bytes.readUInt32BE(0) - DATE_EPOCH) * MS_PER_DAY
}

function encodeTimeOfDay(context: FunctionContext): Buffer {
  const micros = context.nowMicros() % (MS_PER_DAY * 1000)
  return encodeMs(micros * 1000)
}

function current(name: string, returnType: ScalarFunction["returnType"], body: (context: FunctionContext) => Buffer): ScalarFunction {
  return { kind: "scalar", name, argumentTypes: [], returnType, deterministic: false, execute: (_args, context) => body(context) }
}

const nowMs = (context: FunctionContext): number => Math.floor(context.nowMicros() / 1000)

function boundary(name: string, steps: number, fill: number): ScalarFunction {
  return scalar(name, [TIMESTAMP], TIMEUUID, ([time]) => {
    const uuid = Buffer.alloc(16, fill)
    const ms = decodeMs(time as Buffer)
    if (ms < -GREGORIAN_TO_UNIX_MS || ms > LAST_TIMEUUID_MS) throw new InvalidRequestError(`Cannot convert ${ms} ms since epoch to a timeuuid: out of range`)
    writeTimeUuidTime(uuid, 0, ms, steps)
    return uuid
  })
}

type Family = (name: string) => readonly ScalarFunction[]

const toDate: Family = (name) => [
  scalar(name, [TIMESTAMP], DATE, ([time]) => encodeDate(decodeMs(time as Buffer))),
  scalar(name, [TIMEUUID], DATE, ([uuid]) => encodeDate(timeUuidMs(uuid as Buffer))),
]
const toTimestamp: Family = (name) => [
  scalar(name, [TIMEUUID], TIMESTAMP, ([uuid]) => encodeMs(timeUuidMs(uuid as Buffer))),
  scalar(name, [DATE], TIMESTAMP, ([date]) => encodeMs(decodeDateMs(date as Buffer))),
]
const toUnixTimestamp: Family = (name) => [
  scalar(name, [TIMEUUID], BIGINT, ([uuid]) => encodeMs(timeUuidMs(uuid as Buffer))),
  scalar(name, [TIMESTAMP], BIGINT, ([time]) => time as Buffer),
  scalar(name, [DATE], BIGINT, ([date]) => encodeMs(decodeDateMs(date as Buffer))),
]

/** Cuts to the last point that is whole durations after a start, the epoch unless told. */
function floorFunctions(): ScalarFunction[] {
  const ofTime = (type: CqlType, decode: (value: Buffer) => number): ScalarFunction[] => {
    const floor = ([time, duration, start]: readonly Buffer[]): Buffer => {
      const length = decodeDuration(duration as Buffer)
      checkMillisecondPrecision(length)
      return encodeMs(floorTime(decode(time as Buffer), length, start === undefined ? 0 : decodeMs(start)))
    }
    return [scalar("floor", [type, DURATION_TYPE], TIMESTAMP, floor), scalar("floor", [type, DURATION_TYPE, TIMESTAMP], TIMESTAMP, floor)]
  }
  const ofDate = ([date, duration, start]: readonly Buffer[]): Buffer => {
    const length = decodeDuration(duration as Buffer)
    checkDayPrecision(length)
    return encodeDate(floorTime(decodeDateMs(date as Buffer), length, start === undefined ? 0 : decodeDateMs(start)))
  }
  return [
    ...ofTime(TIMEUUID, timeUuidMs),
    ...ofTime(TIMESTAMP, decodeMs),
    scalar("floor", [DATE, DURATION_TYPE], DATE, ofDate),
    scalar("floor", [DATE, DURATION_TYPE, DATE], DATE, ofDate),
    scalar("floor", [TIME, DURATION_TYPE], TIME, ([time, duration]) => {
      const out = Buffer.allocUnsafe(8)
      out.writeBigInt64BE(floorTimeOfDay((time as Buffer).readBigInt64BE(0), decodeDuration(duration as Buffer)))
      return out
    }),
  ]
}

/** By name; the names of Cassandra 5.0 and, without underscores, those of before. */
export function timeFunctions(): [string, readonly Overload[]][] {
  const both = (name: string, family: Family): [string, readonly Overload[]][] => {
    const legacy = name.replaceAll("_", "")
    return [[name, family(name)], [legacy, family(legacy)]]
  }
  return [
    ["now", [current("now", TIMEUUID, newTimeUuid)]],
    ...both("current_timeuuid", (name) => [current(name, TIMEUUID, newTimeUuid)]),
    ...both("current_timestamp", (name) => [current(name, TIMESTAMP, (context) => encodeMs(nowMs(context)))]),
    ...both("current_date", (name) => [current(name, DATE, (context) => encodeDate(nowMs(context)))]),
    ...both("current_time", (name) => [current(name, TIME, encodeTimeOfDay)]),
    ...both("min_timeuuid", (name) => [boundary(name, 0, 0x80)]),
    ...both("max_timeuuid", (name) => [boundary(name, STEPS_PER_MS - 1, 0x7f)]),
    ["floor", floorFunctions()],
    ...both("to_date", toDate),
    ...both("to_timestamp", toTimestamp),
    ...both("to_unix_timestamp", toUnixTimestamp),
  ]
}
