// Writes merged partitions to an SSTable: the common part of flush and compaction.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { encodeRangeTombstone } from "../../data/row-format.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import type { TableDescriptor } from "../../data/schema.ts"
import { EVERY_ROW, type PartitionMerge } from "../read/partition-merge.ts"
import { compressionOf } from "./sstable-codec.ts"
import type { SSTableSummary, SSTableWriter, SSTableWriterOptions } from "./sstable-writer.ts"

/** What a flush or a compaction has written; null when nothing was left to write, and there is no file. */
export interface SSTableJobResult {
  readonly written: SSTableSummary | null
}

export function writerOptions(descriptor: TableDescriptor): SSTableWriterOptions {
  const { options } = descriptor
  const { clustering, compareClustering } = resolveTable(descriptor)
  return {
    compression: compressionOf(options.compression), bloomFilterFpChance: options.bloomFilterFpChance,
    compareClustering: clustering.length === 0 ? null : compareClustering,
  }
}

export class PartitionOutput {
  readonly #writer: SSTableWriter
  readonly #scratch = new ByteWriter(256)
  partitions = 0

  constructor(writer: SSTableWriter) {
    this.#writer = writer
  }

  /** Writes what `merge` has opened, unless there is nothing left of it. */
  write(merge: PartitionMerge, tokenHigh: number, tokenLow: number, key: Buffer): void {
    merge.begin(EVERY_ROW, false)
    let begun = false
    const begin = (): void => {
      if (begun) return
      begun = true
      this.partitions++
      this.#writer.beginPartition(tokenHigh, tokenLow, key, merge.deletion)
    }
    if (merge.deletion !== null) begin()
    if (merge.static()) {
      begin()
      this.#writer.item(merge.bytes, merge.at)
    }
    for (const tombstone of merge.tombstones) {
      begin()
      this.#scratch.reset()
      encodeRangeTombstone(tombstone, this.#scratch)
      this.#writer.item(this.#scratch.buffer, 0)
    }
    while (merge.next()) {
      begin()
      this.#writer.item(merge.bytes, merge.at)
    }
    merge.close()
  }
}

/** Finishes the file, or removes it when it has no partition. */
export async function finishOutput(writer: SSTableWriter, output: PartitionOutput): Promise<SSTableJobResult> {
  if (output.partitions > 0) return { written: await writer.finish() }
  writer.abandon()
  return { written: null }
}
