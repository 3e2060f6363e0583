// Dates and times of day as people write them, in the proleptic Gregorian calendar, to days and milliseconds since
// 1970. No clock: a zone is an offset, Z, UTC, GMT or a name (time-zones.ts), and none means UTC.
import { daysFromDate, daysInMonth } from "./civil-days.ts"
import { utcFromLocal } from "./time-zones.ts"

const MS_PER_DAY = 86_400_000

const DATE = /^(-?\d{4})-(\d{2})-(\d{2})$/

/** `2026-01-31` to days since 1970; null when it is no date. */
export function parseDate(text: string): number | null {
  const match = DATE.exec(text)
  return match === null ? null : daysFromDate(Number(match[1]), Number(match[2]), Number(match[3]))
}

const TIMESTAMP = /^(\d{1,6})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?(?:\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)|\s+([A-Z][\w/-]+))?$/
const DATE_ALONE = /^\d{4,6}-\d{2}-\d{2}(?!\d)/

/**
 * `2026-01-31 12:30:15.123+0100` and its shorter forms to milliseconds since 1970; null when it is no timestamp. As in
 * Cassandra a day up to the 31st that its month does not have is its last, and midnight may be 24:00.
 */
export function parseTimestamp(text: string): number | null {
  const match = TIMESTAMP.exec(text.trim())
  if (match === null) return null
  if (match[4] === undefined && !DATE_ALONE.test(text.trim())) return null
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const days = day > 31 ? null : daysFromDate(year, month, Math.min(day, daysInMonth(year, month)))
  const hours = Number(match[4] ?? 0)
  const minutes = Number(match[5] ?? 0)
  const seconds = Number(match[6] ?? 0)
  const offset = zoneOffsetMinutes(match[8])
  const ms = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3))
  const isEndOfDay = hours === 24 && minutes === 0 && seconds === 0 && ms === 0
  if (days === null || (hours > 23 && !isEndOfDay) || minutes > 59 || seconds > 59 || offset === null) return null
  const utcMs = days * MS_PER_DAY + ((hours * 60 + minutes - offset) * 60 + seconds) * 1000 + ms
  return match[9] === undefined ? utcMs : utcFromLocal(match[9], utcMs)
}

function zoneOffsetMinutes(zone: string | undefined): number | null {
  if (zone === undefined || !/^[+-]/.test(zone)) return 0
  const digits = zone.slice(1).replace(":", "")
  const hours = Number(digits.slice(0, 2))
  const minutes = Number(digits.slice(2) || 0)
  if (hours > 18 || minutes > 59) return null
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes)
}

const TIME = /^(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?$/

/** `12:30:15.123456789` to nanoseconds of the day; null when it is no time. */
export function parseTimeOfDay(text: string): bigint | null {
  const match = TIME.exec(text.trim())
  if (match === null) return null
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3])]
  if (hours > 23 || minutes > 59 || seconds > 59) return null
  return BigInt((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000n + BigInt((match[4] ?? "").padEnd(9, "0"))
}
