// Dates and times of day as people write them, in the proleptic Gregorian calendar, to days and milliseconds since
// 1970. No clock, no time zone data: a zone is an offset, Z, UTC or GMT, and none means UTC.

const DAYS_PER_ERA = 146_097
const DAYS_TO_1970 = 719_468
const MS_PER_DAY = 86_400_000

/** Days since 1970-01-01; null when there is no such day. */
export function daysFromDate(year: number, month: number, day: number): number | null {
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null
  // Years that start in March end with the leap day; 400 of them are an era.
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * DAYS_PER_ERA + dayOfEra - DAYS_TO_1970
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

const DATE = /^(-?\d{4})-(\d{2})-(\d{2})$/

/** `2026-01-31` to days since 1970; null when it is no date. */
export function parseDate(text: string): number | null {
  const match = DATE.exec(text)
  return match === null ? null : daysFromDate(Number(match[1]), Number(match[2]), Number(match[3]))
}

const TIMESTAMP = /^(\d{1,6})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$/
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
  return days * MS_PER_DAY + ((hours * 60 + minutes - offset) * 60 + seconds) * 1000 + ms
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
