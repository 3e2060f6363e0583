// Time zones by name, in timestamp literals: places (Europe/Berlin) and the usual abbreviations. The rules are those that
// Node.js brings along (Intl). As in Java, an abbreviation stands for a zone, not for an offset: "PST" in July is
// daylight time.
import { daysFromDate } from "./civil-days.ts"

const MS_PER_DAY = 86_400_000

/** Abbreviations that everybody reads alike; IST, BST and their like are not among them. */
const ABBREVIATIONS: ReadonlyMap<string, string> = new Map([
  ["AEDT", "Australia/Sydney"], ["AEST", "Australia/Sydney"], ["AKDT", "America/Anchorage"], ["AKST", "America/Anchorage"], ["CDT", "America/Chicago"],
  ["CEST", "Europe/Paris"], ["CET", "Europe/Paris"], ["CST", "America/Chicago"], ["EDT", "America/New_York"], ["EEST", "Europe/Helsinki"],
  ["EET", "Europe/Helsinki"], ["EST", "America/New_York"], ["EST5EDT", "America/New_York"], ["HST", "Pacific/Honolulu"], ["JST", "Asia/Tokyo"],
  ["MDT", "America/Denver"], ["MSK", "Europe/Moscow"], ["MST", "America/Denver"], ["PDT", "America/Los_Angeles"], ["PST", "America/Los_Angeles"],
  ["WEST", "Europe/Lisbon"], ["WET", "Europe/Lisbon"],
])
const PLACE = /^(?!Etc\/)[A-Z][A-Za-z_]+(?:\/[A-Z][A-Za-z_-]+)+$/

const formats = new Map<string, Intl.DateTimeFormat | null>()

/** What a clock in the zone shows to the moment it shows it; null when there is no such zone. `localMs`: as if it were UTC. */
export function utcFromLocal(zone: string, localMs: number): number | null {
  const format = formatOf(zone)
  if (format === null) return null
  const before = offsetAt(format, localMs - MS_PER_DAY)
  const after = offsetAt(format, localMs + MS_PER_DAY)
  // An hour that comes twice is the first; one that is left out is counted from before.
  for (const offset of [Math.max(before, after), Math.min(before, after)]) {
    if (offsetAt(format, localMs - offset) === offset) return localMs - offset
  }
  return localMs - before
}

function formatOf(zone: string): Intl.DateTimeFormat | null {
  let format = formats.get(zone)
  if (format === undefined) {
    format = newFormat(ABBREVIATIONS.get(zone) ?? (PLACE.test(zone) ? zone : null))
    if (format !== null || formats.size < 1000) formats.set(zone, format)
  }
  return format
}

function newFormat(timeZone: string | null): Intl.DateTimeFormat | null {
  if (timeZone === null) return null
  try {
    const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", era: "short" } as const
    return new Intl.DateTimeFormat("en-US", { ...parts, timeZone, hourCycle: "h23", calendar: "iso8601" })
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Milliseconds that clocks in the zone are ahead of UTC. */
function offsetAt(format: Intl.DateTimeFormat, utcMs: number): number {
  const shown = new Map(format.formatToParts(utcMs).map(({ type, value }) => [type, value]))
  const number = (part: Intl.DateTimeFormatPartTypes): number => Number(shown.get(part))
  const year = shown.get("era")?.startsWith("B") === true ? 1 - number("year") : number("year")
  const days = daysFromDate(year, number("month"), number("day"))
  if (days === null) throw new RangeError(`no day: ${format.format(utcMs)}`)
  const seconds = (number("hour") * 60 + number("minute")) * 60 + number("second")
  return days * MS_PER_DAY + seconds * 1000 - Math.floor(utcMs / 1000) * 1000
}
