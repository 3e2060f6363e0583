// Random rows for property tests: few columns, few timestamps and few values, so that ties and shadowing are common.
import fc from "fast-check"
import { Buffer } from "../../runtime/pure.ts"
import { compareCellPlaces } from "../reconcile.ts"
import { CELL_KIND, type Cell, type ComplexDeletion, type Deletion, type Marker, type RangeTombstone, type Row } from "../row.ts"
import { encodeClustering } from "../row-format.ts"

/** Columns 1-3 are simple, 4 and 5 have a cell per element. */
const SIMPLE_COLUMNS = [1, 2, 3]
const COMPLEX_COLUMNS = [4, 5]

const TIMESTAMPS = [[-0x80000000, 1], [-1, 0xffffffff], [0, 0], [0, 1], [0, 2], [0, 3], [0, 0x80000000], [1, 0], [0x7fffffff, 0xffffffff]] as const

const timestamp = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...TIMESTAMPS.slice(2, 6)) }, { weight: 1, arbitrary: fc.constantFrom(...TIMESTAMPS) })
const seconds = fc.constantFrom(1, 10, 20, 0xffffffff)
const value = fc.constantFrom("", "a", "ab", "b", "\u00ff").map((text) => Buffer.from(text, "latin1"))

export const arbitraryDeletion: fc.Arbitrary<Deletion> = fc
  .tuple(timestamp, seconds)
  .map(([[timestampHigh, timestampLow], localDeletionTime]) => ({ timestampHigh, timestampLow, localDeletionTime }))

const marker: fc.Arbitrary<Marker> = fc
  .tuple(timestamp, fc.option(fc.tuple(seconds, fc.constantFrom(5, 60))))
  .map(([[timestampHigh, timestampLow], expiry]) => ({ timestampHigh, timestampLow, ttlSeconds: expiry?.[1] ?? 0, expiresAt: expiry?.[0] ?? 0 }))

function cell(column: fc.Arbitrary<number>, path: fc.Arbitrary<Buffer | null>): fc.Arbitrary<Cell> {
  return fc
    .tuple(column, path, fc.constantFrom(...Object.values(CELL_KIND)), timestamp, seconds, fc.constantFrom(5, 60), value)
    .map(([id, place, kind, [timestampHigh, timestampLow], expiresAt, ttlSeconds, content]) => ({
      column: id,
      path: place,
      kind,
      timestampHigh,
      timestampLow,
      ttlSeconds: kind === CELL_KIND.expiring ? ttlSeconds : 0,
      expiresAt: kind === CELL_KIND.plain ? 0 : expiresAt,
      value: kind === CELL_KIND.tombstone ? null : content,
    }))
}

const cells: fc.Arbitrary<Cell[]> = fc
  .tuple(
    fc.array(cell(fc.constantFrom(...SIMPLE_COLUMNS), fc.constant(null)), { maxLength: 4 }),
    fc.array(cell(fc.constantFrom(...COMPLEX_COLUMNS), value), { maxLength: 4 }),
  )
  .map(([simple, complex]) => {
    const sorted = [...simple, ...complex].sort(compareCellPlaces)
    return sorted.filter((item, index) => index === 0 || compareCellPlaces(sorted[index - 1] as Cell, item) !== 0)
  })

const complexDeletions: fc.Arbitrary<ComplexDeletion[]> = fc
  .uniqueArray(fc.record({ column: fc.constantFrom(...COMPLEX_COLUMNS), deletion: arbitraryDeletion }, { noNullPrototype: true }), { selector: (item) => item.column, maxLength: 2 })
  .map((items) => items.toSorted((a, b) => a.column - b.column))

/** A row that says something. It need not be normal: a deletion may remove its own cells. */
export function arbitraryRow(clustering: fc.Arbitrary<Uint8Array> = fc.constant(Buffer.alloc(0))): fc.Arbitrary<Row> {
  return fc
    .record({
      isStatic: fc.constant(false),
      clustering,
      marker: fc.option(marker),
      deletion: fc.option(arbitraryDeletion, { freq: 3 }),
      complexDeletions: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, complexDeletions),
      cells,
    }, { noNullPrototype: true })
    .filter((row) => row.marker !== null || row.deletion !== null || row.complexDeletions.length > 0 || row.cells.length > 0)
}

/** A row that the format calls simple. */
export function arbitrarySimpleRow(clustering: fc.Arbitrary<Uint8Array> = fc.constant(Buffer.alloc(0))): fc.Arbitrary<Row> {
  return fc
    .tuple(clustering, timestamp, fc.boolean(), fc.array(fc.option(value), { minLength: 3, maxLength: 3 }))
    .map(([place, [timestampHigh, timestampLow], marked, values]): Row => ({
      isStatic: false,
      clustering: place,
      marker: marked ? { timestampHigh, timestampLow, ttlSeconds: 0, expiresAt: 0 } : null,
      deletion: null,
      complexDeletions: [],
      cells: values.flatMap((content, index) =>
        content === null
          ? []
          : [{ column: index + 1, path: null, kind: CELL_KIND.plain, timestampHigh, timestampLow, ttlSeconds: 0, expiresAt: 0, value: content }],
      ),
    }))
    .filter((row) => row.marker !== null || row.cells.length > 0)
}

const int = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(number)
  return bytes
}

/** Clusterings of two int columns. */
export const arbitraryClustering: fc.Arbitrary<Buffer> = fc.tuple(fc.integer({ min: -1, max: 2 }), fc.integer({ min: -1, max: 2 })).map(([a, b]) => encodeClustering([int(a), int(b)]))

/** Prefixes of them, the empty one too. */
const prefix: fc.Arbitrary<Buffer> = fc
  .array(fc.integer({ min: -1, max: 2 }), { maxLength: 2 })
  .map((values) => encodeClustering(values.map(int)))

export const arbitraryRangeTombstone: fc.Arbitrary<RangeTombstone> = fc
  .record({ start: prefix, startInclusive: fc.boolean(), end: prefix, endInclusive: fc.boolean(), deletion: arbitraryDeletion }, { noNullPrototype: true })
