// Where a duration literal ends. Four forms: `1y2mo3w4d5h6m7s8ms9us10ns`, ISO 8601 `P1Y2M3DT4H5M6S`, weeks `P2W`, and the
// ISO alternative `P0001-02-03T04:05:06`. Only the shape: which units may follow which is for whoever reads the value.

const UNITS = /(?:\d+(?:y|mo|w|d|h|ms|m|s|us|\u00b5s|ns))+/iy
const ALTERNATIVE = /P\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}/y
const WEEKS = /P\d+W/y
const DESIGNATORS = /P(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?/y

/** The offset behind the duration that starts at `start` without a sign; `start` when there is none. */
export function durationEnd(source: string, start: number): number {
  if (source[start] !== "P") return completeEnd(UNITS, source, start)
  const alternative = completeEnd(ALTERNATIVE, source, start)
  if (alternative > start) return alternative
  const weeks = completeEnd(WEEKS, source, start)
  if (weeks > start) return weeks
  const designators = completeEnd(DESIGNATORS, source, start)
  // "P" alone, and "PT", are words.
  return /\d/.test(source.slice(start, designators)) ? designators : start
}

/** The end of the match at `start`, unless letters or digits follow it: then the whole is something else. */
function completeEnd(pattern: RegExp, source: string, start: number): number {
  pattern.lastIndex = start
  if (!pattern.test(source)) return start
  const end = pattern.lastIndex
  return end < source.length && /[A-Za-z0-9_]/.test(source[end] as string) ? start : end
}
