// What the tests of strategies share.
import type { ChoiceContext, CompactionTable } from "./choice.ts"
import { type CompactionOptions, parseCompactionOptions } from "./compaction-options.ts"

export const MIB = 1 << 20

export function optionsOf(strategy: string, texts: Readonly<Record<string, string>> = {}): CompactionOptions {
  return parseCompactionOptions({ class: `org.apache.cassandra.db.compaction.${strategy}CompactionStrategy`, ...texts })
}

export function tableOf(number: number, more: Partial<CompactionTable> = {}): CompactionTable {
  return {
    number, bytes: MIB, level: 0, busy: false, partitions: 1000, minTimestamp: BigInt(number) * 1000n, maxTimestamp: BigInt(number) * 1000n + 999n,
    firstToken: -(2n ** 63n) + 1n, lastToken: 2n ** 63n - 1n, tombstones: 0, expiringCells: 0, lasting: 1000, minLocalDeletionTime: null, maxLocalDeletionTime: null,
    arrivedBy: 0, createdAt: 0, ...more,
  }
}

export const CONTEXT: ChoiceContext = { nowSeconds: 1_000_000, gcBefore: 900_000, masksBefore: null, memtableMinTimestamp: null, flushBytes: MIB, checkExpired: true }
