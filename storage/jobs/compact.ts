// Merges SSTables of one table into one. All tombstones are kept.
import type { Disk } from "../../runtime/disk.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import type { TableDescriptor } from "../../data/schema.ts"
import { MIN_TOKEN } from "../../data/token.ts"
import { BlockCache } from "../block-cache.ts"
import { PartitionMerge } from "../partition-merge.ts"
import { PartitionWalk } from "../partition-walk.ts"
import { PartitionOutput, type SSTableJobResult, finishOutput, writerOptions } from "../sstable-output.ts"
import { SSTableCursor } from "../sstable-source.ts"
import { SSTableWriter } from "../sstable-writer.ts"
import { SSTable } from "../sstable.ts"

/** Every input is walked block by block: a few blocks each are enough. */
const CACHE_BYTES = 1 << 20
const PARTITIONS_PER_TURN = 1000

export interface CompactSpec {
  readonly table: TableDescriptor
  readonly inputs: readonly string[]
  /** Of the new SSTable. */
  readonly path: string
}

declare module "../../runtime/jobs.ts" {
  interface JobSpecs {
    compact: CompactSpec
  }
  interface JobResults {
    compact: SSTableJobResult
  }
}

export async function run(spec: CompactSpec, disk: Disk, signal: AbortSignal): Promise<SSTableJobResult> {
  const table = resolveTable(spec.table)
  const cache = new BlockCache(CACHE_BYTES)
  const inputs: SSTable[] = []
  const writer = new SSTableWriter(disk, spec.path, writerOptions(spec.table))
  const output = new PartitionOutput(writer)
  try {
    for (const path of spec.inputs) inputs.push(SSTable.open(disk, 0, path, cache, null))
    const walk = new PartitionWalk(inputs.map((input) => new SSTableCursor(input, table)))
    const merge = new PartitionMerge()
    walk.seek(MIN_TOKEN.high, MIN_TOKEN.low, null, false)
    for (let count = 1; walk.next(); count++) {
      walk.open(merge, table)
      output.write(merge, walk.tokenHigh, walk.tokenLow, walk.key)
      if (count % PARTITIONS_PER_TURN !== 0) continue
      await writer.drain()
      signal.throwIfAborted()
    }
    return await finishOutput(writer, output)
  } catch (error) {
    writer.abandon()
    throw error
  } finally {
    for (const input of inputs) input.retire()
  }
}
