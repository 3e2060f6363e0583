// The golden vectors of views (views-golden.json) as rows of the base table of view-tables.ts.
import { Buffer } from "../../runtime/pure.ts"
import { CELL_KIND, type Cell, type Row } from "../row.ts"
import { BASE_ID, type BaseColumn, type ViewDefinition } from "./view-tables.ts"
import golden from "./views-golden.json" with { type: "json" }

export interface VectorMutation {
  readonly ts: number
  /** Second at which the TTL begins; 0 unless told. */
  readonly at?: number
  readonly ttl?: number
  readonly insert?: boolean
  readonly set?: Readonly<Record<string, string | number | null>>
  readonly del?: readonly string[]
  readonly deleteRow?: boolean
}

/** View key values as JSON to the selected columns' values. */
export type Shown = Readonly<Record<string, Readonly<Record<string, string | null>>>>

export interface Vector {
  readonly name: string
  /** VA, VAB, ... */
  readonly view: string
  readonly definition: ViewDefinition
  readonly mutations: readonly VectorMutation[]
  /** At which second what is shown, when all mutations are there in whatever order. */
  readonly expected: readonly (readonly [number, Shown])[]
}

/** What the mutation says of the row at `clustering`. Seconds are shifted by `epochSeconds`. */
export function vectorRow(mutation: VectorMutation, clustering: Buffer, epochSeconds = 0): Row {
  const stamp = { timestampHigh: 0, timestampLow: mutation.ts }
  const expiresAt = mutation.ttl === undefined ? 0 : epochSeconds + (mutation.at ?? 0) + mutation.ttl
  const ttlSeconds = mutation.ttl ?? 0
  const values = new Map(Object.entries(mutation.set ?? {}))
  for (const name of mutation.del ?? []) values.set(name, null)
  const cells = [...values].map(([name, value]): Cell => {
    const place = { column: BASE_ID[name as BaseColumn], path: null, ...stamp }
    if (value === null) return { ...place, kind: CELL_KIND.tombstone, ttlSeconds: 0, expiresAt: 1, value: null }
    return { ...place, kind: ttlSeconds > 0 ? CELL_KIND.expiring : CELL_KIND.plain, ttlSeconds, expiresAt, value: Buffer.from(String(value)) }
  })
  return {
    isStatic: false,
    clustering,
    marker: mutation.insert === true ? { ...stamp, ttlSeconds, expiresAt } : null,
    deletion: mutation.deleteRow === true ? { ...stamp, localDeletionTime: 1 } : null,
    complexDeletions: [],
    cells: cells.toSorted((a, b) => a.column - b.column),
  }
}

function definitionOf(view: { keys: string[]; select: string[]; where?: string }): ViewDefinition {
  const filters = view.where === undefined ? [] : [{ column: "f" as const, operator: "=" as const, value: "on" }]
  return { keys: view.keys as BaseColumn[], select: view.select as BaseColumn[], filters }
}

/** The file's values are numbers and texts; the table's columns are texts. */
function shownOf(rows: Record<string, Record<string, unknown>>): Shown {
  const text = (value: unknown): string | null => (value === null ? null : String(value))
  return Object.fromEntries(
    Object.entries(rows).map(([key, values]) => [
      JSON.stringify((JSON.parse(key) as unknown[]).map(text)),
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)])),
    ]),
  )
}

export const VECTORS: readonly Vector[] = golden.vectors.map((vector) => ({
  name: vector.name,
  view: vector.view,
  definition: definitionOf(golden.views[vector.view as keyof typeof golden.views]),
  mutations: vector.muts as readonly VectorMutation[],
  expected: (vector.expect as [number, Record<string, Record<string, unknown>>][]).map(([now, rows]) => [now, shownOf(rows)] as const),
}))
