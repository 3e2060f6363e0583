// Points in time and durations: months and days move along the calendar (UTC, proleptic Gregorian), the rest is milliseconds.
import type { DurationValue } from "../../data/types/operations.ts"
import { InvalidRequestError } from "../errors.ts"
import { daysFromDate, daysInMonth } from "../statements/civil-days.ts"
import { civilDate, durationText } from "./value-text.ts"

const MS_PER_DAY = 86_400_000
const NANOSECONDS_PER_MS = 1_000_000n
const NANOSECONDS_PER_DAY = 86_400_000_000_000n

/** `sign` -1 goes back. A day that the month reached does not have becomes its last. */
export function addDuration(ms: number, { months, days, nanoseconds }: DurationValue, sign: 1 | -1): number {
  return addMonths(ms, sign * months) + sign * (days * MS_PER_DAY + Number(nanoseconds / NANOSECONDS_PER_MS))
}

function addMonths(ms: number, months: number): number {
  if (months === 0) return ms
  const day = Math.floor(ms / MS_PER_DAY)
  const date = civilDate(day)
  const count = date.year * 12 + date.month - 1 + months
  const year = Math.floor(count / 12)
  const month = count - year * 12 + 1
  return (daysFromDate(year, month, Math.min(date.day, daysInMonth(year, month))) ?? 0) * MS_PER_DAY + (ms - day * MS_PER_DAY)
}

/** The last point `from` + n durations that is not after `ms`. Throws InvalidRequestError. */
export function floorTime(ms: number, duration: DurationValue, from: number): number {
  if (from > ms) throw new InvalidRequestError("The floor function starting time is greater than the provided time")
  refuseNegative(duration)
  const { months, days, nanoseconds } = duration
  const step = days * MS_PER_DAY + Number(nanoseconds / NANOSECONDS_PER_MS)
  if (months === 0) return step === 0 ? ms : ms - ((ms - from) % step)
  const at = civilDate(Math.floor(ms / MS_PER_DAY))
  const start = civilDate(Math.floor(from / MS_PER_DAY))
  let count = Math.trunc(((at.year - start.year) * 12 + at.month - start.month) / months)
  let floor = addMonths(from, count * months) + count * step
  while (step > 0 && floor > ms) {
    count--
    floor = addMonths(from, count * months) + count * step
  }
  return Math.max(floor, from)
}

/** A time of day, in nanoseconds. Throws InvalidRequestError. */
export function floorTimeOfDay(nanoseconds: bigint, duration: DurationValue): bigint {
  refuseNegative(duration)
  if (duration.months !== 0 || duration.days !== 0 || duration.nanoseconds > NANOSECONDS_PER_DAY) {
    throw new InvalidRequestError("For time values, the floor can only be computed for durations smaller that a day")
  }
  return duration.nanoseconds === 0n ? nanoseconds : nanoseconds - (nanoseconds % duration.nanoseconds)
}

/** Throws InvalidRequestError when a date cannot be cut to the duration. */
export function checkDayPrecision(duration: DurationValue): void {
  if (duration.nanoseconds % NANOSECONDS_PER_DAY === 0n) return
  throw new InvalidRequestError(`The floor on date values cannot be computed for the ${durationText(duration)} duration as precision is below 1 day`)
}

/** Throws InvalidRequestError when a timestamp cannot be cut to the duration. */
export function checkMillisecondPrecision(duration: DurationValue): void {
  if (duration.nanoseconds % NANOSECONDS_PER_MS === 0n) return
  throw new InvalidRequestError(`The floor cannot be computed for the ${durationText(duration)} duration as precision is below 1 millisecond`)
}

function refuseNegative({ months, days, nanoseconds }: DurationValue): void {
  if (months < 0 || days < 0 || nanoseconds < 0n) throw new InvalidRequestError("Negative durations are not supported by the floor function")
}
