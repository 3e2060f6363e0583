// Writes a frozen memtable to an SSTable, straight from its shared slabs.
import type { Disk } from "../../runtime/disk.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import type { TableDescriptor } from "../../data/schema.ts"
import { MemtableSource } from "../memtable/memtable-source.ts"
import { nextWithToken, partitionKey } from "../memtable/memtable.ts"
import { type PartitionIndexShards, countSlots, findInSlots, sortedTokens } from "../memtable/partition-index.ts"
import { PartitionMerge } from "../read/partition-merge.ts"
import { RowVector } from "../memtable/row-vector.ts"
import { SlabArena } from "../memtable/slab.ts"
import { PartitionOutput, type SSTableJobResult, finishOutput, writerOptions } from "../sstable/sstable-output.ts"
import { SSTableWriter } from "../sstable/sstable-writer.ts"

export interface FlushSpec {
  readonly table: TableDescriptor
  readonly slabs: readonly SharedArrayBuffer[]
  readonly shards: PartitionIndexShards
  /** Of the SSTable. */
  readonly path: string
}

declare module "../../runtime/jobs.ts" {
  interface JobSpecs {
    flush: FlushSpec
  }
  interface JobResults {
    flush: SSTableJobResult
  }
}

export async function run(spec: FlushSpec, disk: Disk, signal: AbortSignal): Promise<SSTableJobResult> {
  const table = resolveTable(spec.table)
  const arena = SlabArena.attach(spec.slabs)
  const memtable = { arena, rows: new RowVector(arena, table.compareClustering), tombstoneRewrites: 0 }
  const source = new MemtableSource(null)
  const merge = new PartitionMerge()
  const writer = new SSTableWriter(disk, spec.path, writerOptions(spec.table))
  const output = new PartitionOutput(writer)
  try {
    for (const shard of spec.shards) {
      const slots = new Int32Array(shard)
      const tokens = sortedTokens(slots, countSlots(slots))
      for (let at = 0; at < tokens.length; at += 2) {
        const low = tokens[at] as number
        const high = tokens[at + 1] as number
        for (let partition = findInSlots(slots, high, low); partition !== 0; partition = nextWithToken(arena, partition)) {
          merge.open(table)
          merge.add(source.reset(memtable, partition))
          output.write(merge, high, low >>> 0, partitionKey(arena, partition))
        }
      }
      await writer.drain()
      signal.throwIfAborted()
    }
    return await finishOutput(writer, output)
  } catch (error) {
    writer.abandon()
    throw error
  }
}
