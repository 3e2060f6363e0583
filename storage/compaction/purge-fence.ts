// Whether a compaction of a table may purge, and what it must know for it. Taken when the compaction starts; what may have
// changed when it ends is checked again before its result counts (compactor.ts).
import type { StoreEvents } from "../../data/local-store.ts"
import { VIEW_MESSAGE_MAX_AGE_MS, VIEW_PURGE_AFTER_SECONDS } from "../../data/view-message-age.ts"
import { compareInt64, toBigInt } from "../../data/timestamp.ts"
import type { Token } from "../../data/topology.ts"
import type { Memtable } from "../memtable/memtable.ts"
import type { SSTable } from "../sstable/sstable.ts"
import type { TableStore } from "../table-store.ts"
import type { CompactionOptions } from "./compaction-options.ts"
import type { ChoiceContext } from "./choice.ts"
import { type PurgeResult, type PurgeSpec, highestPurged } from "./purger.ts"
import { TokenSet } from "./token-set.ts"

const NO_TOKENS = new Int32Array(0)

/** The times that purging goes by. */
export function purgeTimes(table: TableStore, nowSeconds: number): Pick<ChoiceContext, "nowSeconds" | "gcBefore" | "masksBefore"> {
  const { gcGraceSeconds } = table.schema.descriptor.options
  const masksBefore = table.schema.kind === "view" ? nowSeconds - Math.max(gcGraceSeconds, VIEW_PURGE_AFTER_SECONDS) : null
  return { nowSeconds, gcBefore: nowSeconds - gcGraceSeconds, masksBefore }
}

export interface FenceQuestion {
  readonly table: TableStore
  readonly inputs: readonly SSTable[]
  readonly options: CompactionOptions
  readonly nowSeconds: number
  /** How long the oldest write has waited for room: it was received, and not yet applied. */
  readonly longestWaitMs: number
  readonly events: StoreEvents
}

/** Null: nothing may be purged. */
export function takeFence({ table, inputs, options, nowSeconds, longestWaitMs, events }: FenceQuestion): PurgeSpec | null {
  if (options.onlyPurgeRepairedTombstones) return null
  const { gcBefore, masksBefore } = purgeTimes(table, nowSeconds)
  const arrivedBy = inputs.reduce((latest, { number }) => Math.max(latest, table.places.get(number)?.arrivedBy ?? Number.POSITIVE_INFINITY), 0)
  // F3. A message that came in time and still waits to be applied is as good as on its way.
  if (masksBefore !== null && (arrivedBy + VIEW_PURGE_AFTER_SECONDS > nowSeconds || longestWaitMs >= VIEW_MESSAGE_MAX_AGE_MS)) return null
  const owed = owedTokens(table, events)
  if (owed === "all") return null
  const newest = inputs.reduce((latest, input) => (BigInt(input.statistics.maxTimestamp) > latest ? BigInt(input.statistics.maxTimestamp) : latest), -(2n ** 63n))
  const others = table.sstables.filter((other) => !inputs.includes(other) && BigInt(other.statistics.minTimestamp) <= newest)
  const memtables = [table.active, ...table.flushing].filter(({ lowest }) => toBigInt(lowest.high, lowest.low) <= newest)
  return {
    gcBefore, masks: masksBefore !== null && arrivedBy < masksBefore, fenced: owed, others: others.map(({ path }) => path),
    memtables: memtables.map(({ lowest, index }) => ({ high: lowest.high, low: lowest.low, slots: index.shards().map((shard) => new Int32Array(shard).slice()) })),
  }
}

/** F2: partitions with rows about which some view is still owed something. "all": too many, or nobody knows. */
export function owedTokens(table: TableStore, events: StoreEvents): Int32Array | "all" {
  if (table.schema.views.length === 0) return NO_TOKENS
  const owed: readonly Token[] | "all" = events.owed?.(table.id) ?? "all"
  if (owed === "all") return "all"
  const pairs = new Int32Array(2 * owed.length)
  for (const [index, { high, low }] of owed.entries()) {
    pairs[2 * index] = low | 0
    pairs[2 * index + 1] = high
  }
  return TokenSet.sort(pairs)
}

/** Whether a view is owed something now about a partition from which something was purged. */
export function isOwed(table: TableStore, purged: PurgeResult, events: StoreEvents): boolean {
  const owed = owedTokens(table, events)
  if (owed === "all") return true
  const [few, purgedTokens] = [new TokenSet(owed), new TokenSet(purged.tokens)]
  for (let index = 0; index < few.size; index++) if (purgedTokens.has(few.high(index), few.low(index))) return true
  return false
}

/**
 * Tells of one partition after the other from which something was purged whether something as old has come for it since the
 * fence was taken: a write with a timestamp of long ago.
 */
export class Latecomers {
  readonly #purged: PurgeResult
  readonly #tokens: TokenSet
  readonly #memtables: readonly Memtable[]
  readonly #sstables: readonly { readonly lowest: bigint; readonly sstable: SSTable }[]

  /** `known`: the SSTables that the fence took account of. */
  constructor(table: TableStore, purged: PurgeResult, known: ReadonlySet<SSTable>) {
    this.#purged = purged
    this.#tokens = new TokenSet(purged.tokens)
    const highest = toBigInt(purged.maxHigh, purged.maxLow)
    this.#memtables = [table.active, ...table.flushing].filter(({ lowest }) => compareInt64(lowest.high, lowest.low, purged.maxHigh, purged.maxLow) <= 0)
    this.#sstables = table.sstables
      .filter((sstable) => !known.has(sstable))
      .map((sstable) => ({ lowest: BigInt(sstable.statistics.minTimestamp), sstable }))
      .filter(({ lowest }) => lowest <= highest)
  }

  /** How many partitions there are to ask about; 0 when nothing has come that is as old. */
  get size(): number {
    return this.#memtables.length + this.#sstables.length === 0 ? 0 : this.#tokens.size
  }

  has(index: number): boolean {
    const [tokenHigh, tokenLow] = [this.#tokens.high(index), this.#tokens.low(index)]
    const { high, low } = highestPurged(this.#purged, index)
    for (const { lowest, index: partitions } of this.#memtables) {
      if (compareInt64(lowest.high, lowest.low, high, low) <= 0 && partitions.find(tokenHigh, tokenLow) !== 0) return true
    }
    return this.#sstables.some(({ lowest, sstable }) => lowest <= toBigInt(high, low) && sstable.filter.mayContain(tokenHigh, tokenLow))
  }
}
