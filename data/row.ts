// Rows as objects: the form in which rows are merged, repaired and turned into view entries. Rows that are only stored
// or passed on stay bytes (row-format.ts). Timestamps are exact 64-bit integers in two halves: high signed, low unsigned.

/** Higher kinds win at equal timestamps: a tombstone over an expiring cell over a plain one. */
export const CELL_KIND = { plain: 0, expiring: 1, tombstone: 2 } as const
export type CellKind = (typeof CELL_KIND)[keyof typeof CELL_KIND]

export interface Deletion {
  readonly timestampHigh: number
  readonly timestampLow: number
  /** Seconds since 1970 on the coordinator's clock. */
  readonly localDeletionTime: number
}

export interface Cell {
  readonly column: number
  /** Element of a collection: the serialised set element or map key, the list's timeuuid, a UDT field's index; null otherwise. */
  readonly path: Uint8Array | null
  readonly kind: CellKind
  readonly timestampHigh: number
  readonly timestampLow: number
  /** Expiring cells; 0 otherwise. */
  readonly ttlSeconds: number
  /** Expiring: the second at which the cell is dead. Tombstone: its local deletion time. Plain: 0. */
  readonly expiresAt: number
  /** Serialised value, possibly empty; null for a tombstone. */
  readonly value: Uint8Array | null
}

/** The row marker: what INSERT leaves so that a row with no other column exists. */
export interface Marker {
  readonly timestampHigh: number
  readonly timestampLow: number
  readonly ttlSeconds: number
  /** 0: does not expire. */
  readonly expiresAt: number
}

export interface ComplexDeletion {
  readonly column: number
  readonly deletion: Deletion
}

export interface Row {
  readonly isStatic: boolean
  /** Encoded as in row-format.ts; empty for a static row and for tables without clustering columns. */
  readonly clustering: Uint8Array
  readonly marker: Marker | null
  readonly deletion: Deletion | null
  /** By column id. */
  readonly complexDeletions: readonly ComplexDeletion[]
  /** By column id, then path as unsigned bytes. */
  readonly cells: readonly Cell[]
}

export interface RangeTombstone {
  /** Encoded clustering prefix; empty: from the beginning. */
  readonly start: Uint8Array
  readonly startInclusive: boolean
  /** Empty: to the end. */
  readonly end: Uint8Array
  readonly endInclusive: boolean
  readonly deletion: Deletion
}
