// What every CQL type can do, as one small object per type. Families of types live in files beside this one;
// `type-operations.ts` finds the object for a type of the tree.
import type { Buffer } from "../../runtime/pure.ts"

/**
 * Values as code sees them, for system tables, literals and tests; the data path passes serialised bytes.
 *
 *   ascii, text, inet, uuid, timeuuid   string        bigint, counter, varint, time, timestamp   bigint (encode: number too)
 *   tinyint, smallint, int              number        date        number of days since 1970-01-01
 *   float, double                       number        decimal     DecimalValue
 *   boolean                             boolean       duration    DurationValue
 *   blob                                Uint8Array    list, set, vector   array
 *   map                                 Map           tuple       array with nulls; udt: object by field name
 */
export type CqlValue =
  | string | number | bigint | boolean | Uint8Array | DecimalValue | DurationValue
  | readonly (CqlValue | null)[] | ReadonlyMap<CqlValue, CqlValue> | UdtValue

export interface UdtValue {
  readonly [field: string]: CqlValue | null
}

/** unscaled × 10^-scale; 1.0 and 1.00 are different values that compare equal. */
export interface DecimalValue {
  readonly unscaled: bigint
  readonly scale: number
}

/** All three parts have the same sign. */
export interface DurationValue {
  readonly months: number
  readonly days: number
  readonly nanoseconds: bigint
}

/** Cassandra's order of two serialised values. Negative, 0, positive. REQUIRES: both are valid. */
export type ValueComparator = (a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number) => number

export interface TypeOperations {
  /** Asserts that the value has the shape the type wants. */
  encode(value: CqlValue): Buffer
  /** Null for the empty value of a type that has no empty ones (Cassandra lets an int be empty). REQUIRES: the bytes are valid. */
  decode(bytes: Buffer): CqlValue | null
  /** Null when `bytes[from, to)` is a value of the type, else what is wrong with it in Cassandra's words. */
  validate(bytes: Uint8Array, from: number, to: number): string | null
  readonly compare: ValueComparator
  /** Bytes of every element in a vector; null when each carries its size (Cassandra's choice, also for some types of one size). */
  readonly vectorElementSize: number | null
}

/** Orders an empty value before all others; null when neither is empty. */
export function compareEmpty(aFrom: number, aTo: number, bFrom: number, bTo: number): number | null {
  if (aFrom < aTo && bFrom < bTo) return null
  return aFrom < aTo ? 1 : bFrom < bTo ? -1 : 0
}

/** Unsigned bytes, a prefix first. */
export function compareBytes(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  const sizes = aTo - aFrom - (bTo - bFrom)
  const end = sizes < 0 ? aTo : aFrom + (bTo - bFrom)
  const shift = bFrom - aFrom
  for (let at = aFrom; at < end; at++) {
    const difference = (a[at] as number) - (b[at + shift] as number)
    if (difference !== 0) return difference
  }
  return sizes
}

/** A big-endian word, signed. */
export function int32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
}
