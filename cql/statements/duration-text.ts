// Reads a duration as text, in each of the four forms that CQL knows, to months, days and nanoseconds.
import { InvalidRequestError } from "../errors.ts"
import type { DurationValue } from "../../data/types/operations.ts"

const NANOS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n, m: 60_000_000_000n, s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, "\u00b5s": 1_000n, ns: 1n,
}
/** Units must come in this order, each at most once. */
const ORDER = ["y", "mo", "w", "d", "h", "m", "s", "ms", "us", "ns"]
const NAMES = ["years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]
const ALTERNATIVE = /^P(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})$/
const WEEKS = /^P(\d+)W$/
const DESIGNATORS = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/
const INT_MAX = 2n ** 31n - 1n
const LONG_MAX = 2n ** 63n - 1n

type Parts = [months: bigint, days: bigint, nanoseconds: bigint]

/** Null when the text is no duration. Throws InvalidRequestError when its units are out of order or add up to too much. */
export function parseDuration(text: string): DurationValue | null {
  const negative = text.startsWith("-")
  const parts = parseParts(negative ? text.slice(1) : text)
  if (parts === null) return null
  checkTotal("months", parts[0], INT_MAX)
  checkTotal("days", parts[1], INT_MAX)
  checkTotal("nanoseconds", parts[2], LONG_MAX)
  const sign = negative ? -1n : 1n
  return { months: Number(sign * parts[0]), days: Number(sign * parts[1]), nanoseconds: sign * parts[2] }
}

function checkTotal(unit: string, total: bigint, limit: bigint): void {
  if (total > limit) throw new InvalidRequestError(`Invalid duration. The total number of ${unit} must be less or equal to ${limit}`)
}

function parseParts(text: string): Parts | null {
  const weeks = WEEKS.exec(text)
  if (weeks !== null) return [0n, BigInt(weeks[1] as string) * 7n, 0n]
  const iso = ALTERNATIVE.exec(text) ?? (text.length > 1 ? DESIGNATORS.exec(text) : null)
  if (iso !== null) {
    const [years, months, days, hours, minutes, seconds] = iso.slice(1).map((digits) => BigInt(digits ?? 0)) as [bigint, bigint, bigint, bigint, bigint, bigint]
    return [years * 12n + months, days, ((hours * 60n + minutes) * 60n + seconds) * 1_000_000_000n]
  }
  return parseUnits(text)
}

/** `1y2mo3w4d5h6m7s8ms9us10ns`. */
function parseUnits(text: string): Parts | null {
  if (!/^(?:\d+(?:y|mo|w|d|h|ms|m|s|us|\u00b5s|ns))+$/i.test(text)) return null
  const parts: Parts = [0n, 0n, 0n]
  let last = -1
  for (const [, digits, written] of text.matchAll(/(\d+)([a-z\u00b5]+)/gi)) {
    const unit = (written as string).toLowerCase().replace("\u00b5", "u")
    const rank = ORDER.indexOf(unit)
    if (rank === last) throw new InvalidRequestError(`Invalid duration. The ${NAMES[rank]} are specified multiple times`)
    if (rank < last) throw new InvalidRequestError(`Invalid duration. The ${NAMES[last]} should be after ${NAMES[rank]}`)
    last = rank
    const count = BigInt(digits as string)
    if (unit === "y") parts[0] += count * 12n
    else if (unit === "mo") parts[0] += count
    else if (unit === "w") parts[1] += count * 7n
    else if (unit === "d") parts[1] += count
    else parts[2] += count * (NANOS[unit] as bigint)
  }
  return parts
}
