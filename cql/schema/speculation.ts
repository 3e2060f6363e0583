// speculative_retry and additional_write_policy: 99p, 99PERCENTILE, 50ms, ALWAYS, NEVER, NONE, MIN(99p,50ms), MAX(...).
import { ConfigurationError } from "../errors.ts"

const PERCENTILE = /^(\d+(?:\.\d+)?|\.\d+)(?:p|percentile)$/i
const FIXED = /^(\d+(?:\.\d+)?|\.\d+)ms$/i
const HYBRID = /^(min|max)\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*\)$/i

/** The policy in the form in which Cassandra prints it; undefined stays undefined. Throws ConfigurationError. */
export function speculationOption(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const simple = simplePolicy(text)
  if (simple !== null) return simple
  if (/^always$/i.test(text)) return "ALWAYS"
  if (/^(never|none)$/i.test(text)) return "NEVER"
  const hybrid = HYBRID.exec(text)
  if (hybrid === null) return unsupported(text)
  const [, which = "", first = "", second = ""] = hybrid
  const a = simplePolicy(first) ?? unsupported(text)
  const b = simplePolicy(second) ?? unsupported(text)
  if (a.endsWith("p") === b.endsWith("p")) unsupported(text)
  return `${which.toUpperCase()}(${a},${b})`
}

function simplePolicy(text: string): string | null {
  const percentile = PERCENTILE.exec(text)?.[1]
  if (percentile !== undefined) {
    const value = Number(percentile)
    if (value <= 0 || value >= 100) throw new ConfigurationError(`Invalid value ${text} for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)`)
    return `${Number(value.toFixed(4))}p`
  }
  const fixed = FIXED.exec(text)?.[1]
  return fixed === undefined ? null : `${Math.trunc(Number(fixed))}ms`
}

function unsupported(text: string): never {
  throw new ConfigurationError(`Invalid value ${text} for option 'speculative_retry'`)
}
