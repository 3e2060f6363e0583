// The properties of a WITH clause, read by name: each is taken once, and what nobody takes is unknown.
import { SyntaxError } from "../errors.ts"
import type { Property } from "../language/ast-schema.ts"

export class Properties {
  readonly #byName: Map<string, Property>

  constructor(properties: readonly Property[], known: ReadonlySet<string>) {
    this.#byName = new Map(properties.map((property) => [property.name, property]))
    for (const { name } of properties) {
      if (!known.has(name)) throw new SyntaxError(`Unknown property '${name}'`)
    }
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Undefined when it is not given. All of these throw SyntaxError when the value is of another shape. */
  text(name: string): string | undefined {
    const value = this.#byName.get(name)?.value
    if (value === undefined) return undefined
    if (value.kind !== "text") throw new SyntaxError(`Invalid value for property '${name}'. It should be a string`)
    return value.text
  }

  map(name: string): ReadonlyMap<string, string> | undefined {
    const value = this.#byName.get(name)?.value
    if (value === undefined) return undefined
    if (value.kind !== "map") throw new SyntaxError(`Invalid value for property '${name}'. It should be a map.`)
    return new Map(value.entries.map(({ key, value: text }) => [key, text]))
  }

  boolean(name: string): boolean | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (/^(1|true|yes)$/i.test(text)) return true
    if (/^(0|false|no)$/i.test(text)) return false
    throw new SyntaxError(`Invalid boolean value ${text} for '${name}'. Positive values can be '1', 'true' or 'yes'. Negative values can be '0', 'false' or 'no'.`)
  }

  integer(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = parseJavaInteger(text)
    if (value === null) throw new SyntaxError(`Invalid integer value ${text} for '${name}'`)
    return value
  }

  double(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = text.trim() === "" ? Number.NaN : Number(text)
    if (Number.isNaN(value)) throw new SyntaxError(`Invalid double value ${text} for '${name}'`)
    return value
  }
}

/** A 32-bit integer, or null. */
export function parseJavaInteger(text: string): number | null {
  if (!/^[+-]?\d{1,10}$/.test(text)) return null
  const value = Number(text)
  return value >= -0x80000000 && value <= 0x7fffffff ? value : null
}

/** A double as messages and DESCRIBE print it: with a fraction, and an exponent outside 1e-3 to 1e7. */
export function formatDouble(value: number): string {
  const size = Math.abs(value)
  if (value === 0 || (size >= 1e-3 && size < 1e7)) return Number.isInteger(value) ? value.toFixed(1) : String(value)
  const [digits = "", exponent = "0"] = value.toExponential().split("e")
  return `${digits.includes(".") ? digits : `${digits}.0`}E${Number(exponent)}`
}
