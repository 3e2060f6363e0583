// Merges SSTables of one table into one or several, and leaves out what may be purged.
import type { Clock } from "../../runtime/clock.ts"
import type { Disk } from "../../runtime/disk.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import type { TableDescriptor } from "../../data/schema.ts"
import { MIN_TOKEN } from "../../data/token.ts"
import { BlockCache } from "../sstable/block-cache.ts"
import { CompactionOutput, type OutputSpec, type WrittenSSTable } from "../compaction/compaction-output.ts"
import { CompactionControl, Pace } from "../compaction/pace.ts"
import { type PurgeResult, type PurgeSpec, Purger } from "../compaction/purger.ts"
import { PartitionMerge } from "../read/partition-merge.ts"
import { PartitionWalk } from "../read/partition-walk.ts"
import { writerOptions } from "../sstable/sstable-output.ts"
import { SSTableCursor } from "../sstable/sstable-source.ts"
import { SSTable } from "../sstable/sstable.ts"

/** Every input is walked block by block: a few blocks each are enough. */
const CACHE_BYTES = 1 << 20
/** So many partitions or rows between looks at the clock and at whether to stop: a fraction of a millisecond each. */
const PER_TURN = 500

export interface CompactSpec {
  readonly table: TableDescriptor
  /** Newest first. */
  readonly inputs: readonly string[]
  readonly output: OutputSpec
  /** Null: everything is kept. */
  readonly purge: PurgeSpec | null
  /** See CompactionControl. */
  readonly control: SharedArrayBuffer
}

export interface CompactResult {
  readonly written: readonly WrittenSSTable[]
  /** Null: nothing was purged. */
  readonly purged: PurgeResult | null
  /** At index n - 1: how many partitions were merged from n inputs. */
  readonly merged: readonly number[]
}

declare module "../../runtime/jobs.ts" {
  interface JobSpecs {
    compact: CompactSpec
  }
  interface JobResults {
    compact: CompactResult
  }
}

export async function run(spec: CompactSpec, disk: Disk, signal: AbortSignal, clock: Clock): Promise<CompactResult> {
  const table = resolveTable(spec.table)
  const pace = new Pace(clock, new CompactionControl(spec.control))
  const cache = new BlockCache(CACHE_BYTES)
  const opened: SSTable[] = []
  const open = (from: Pick<Disk, "readFile">, path: string): SSTable => {
    const sstable = SSTable.open(from, 0, path, cache, null)
    opened.push(sstable)
    return sstable
  }
  let output: CompactionOutput | null = null
  try {
    const counting = pace.counting(disk)
    const walk = new PartitionWalk(spec.inputs.map((path) => new SSTableCursor(open(counting, path), table)))
    const purger = spec.purge === null ? null : new Purger(table, spec.purge, spec.purge.others.map((path) => open(disk, path)))
    output = new CompactionOutput(disk, spec.output, writerOptions(spec.table), purger)
    const merged = await mergeAll(walk, table, output, async () => {
      signal.throwIfAborted()
      await pace.rest()
    })
    return { written: await output.finish(), purged: purger?.result() ?? null, merged }
  } catch (error) {
    output?.abandon()
    throw error
  } finally {
    for (const sstable of opened) sstable.retire()
  }
}

async function mergeAll(walk: PartitionWalk, table: ReturnType<typeof resolveTable>, output: CompactionOutput, pause: () => Promise<void>): Promise<number[]> {
  const merge = new PartitionMerge()
  const merged: number[] = []
  walk.seek(MIN_TOKEN.high, MIN_TOKEN.low, null, false)
  for (let count = 1; walk.next(); count++) {
    const sources = walk.sourceCount
    merged[sources - 1] = (merged[sources - 1] ?? 0) + 1
    if (output.isFull(walk.tokenHigh, walk.tokenLow)) await output.next()
    const only = sources === 1 ? walk.openOnly() : null
    if (only !== null && only.isPlain) {
      output.beginPlain(only, walk.tokenHigh, walk.tokenLow, walk.key)
    } else {
      walk.open(merge, table)
      output.begin(merge, walk.tokenHigh, walk.tokenLow, walk.key)
    }
    let isMore = output.rows(PER_TURN)
    while (isMore) {
      await output.drain()
      await pause()
      isMore = output.rows(PER_TURN)
    }
    if (count % PER_TURN !== 0) continue
    await output.drain()
    await pause()
  }
  return Array.from(merged, (partitions) => partitions ?? 0)
}
