// Reads every byte of SSTables and checks what can be checked without anything else: headers, footers and the checksum of
// every section and block; that keys, and rows within a partition, ascend. Nothing is changed.
import type { Disk } from "../../runtime/disk.ts"
import { DiskError } from "../../runtime/disk.ts"
import { Buffer } from "../../runtime/pure.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { clusteringEnd, clusteringStart } from "../../data/row-format.ts"
import type { TableDescriptor, TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import { BlockCache } from "../sstable/block-cache.ts"
import { CorruptFileError, DataDirectoryError } from "../errors.ts"
import type { SSTableBlock } from "../sstable/sstable-block.ts"
import { SSTable } from "../sstable/sstable.ts"

const CACHE_BYTES = 1 << 20

export interface VerifySpec {
  readonly table: TableDescriptor
  readonly paths: readonly string[]
}

/** What was found of one file; `problem` null: nothing wrong. */
export interface VerifiedFile {
  readonly path: string
  readonly bytes: number
  readonly blocks: number
  readonly problem: string | null
}

declare module "../../runtime/jobs.ts" {
  interface JobSpecs {
    verify: VerifySpec
  }
  interface JobResults {
    verify: readonly VerifiedFile[]
  }
}

export function run(spec: VerifySpec, disk: Disk, signal: AbortSignal): Promise<readonly VerifiedFile[]> {
  const table = resolveTable(spec.table)
  const files: VerifiedFile[] = []
  for (const path of spec.paths) {
    signal.throwIfAborted()
    files.push(verifyFile(disk, table, path))
  }
  return Promise.resolve(files)
}

function verifyFile(disk: Disk, table: TableSchema, path: string): VerifiedFile {
  let sstable: SSTable | null = null
  let blocks = 0
  try {
    sstable = SSTable.open(disk, 0, path, new BlockCache(CACHE_BYTES), null)
    const order = new OrderCheck(table, path)
    for (let index = 0; index < sstable.index.count; index++) {
      order.block(sstable.block(index), sstable.index.blockOffset(index))
      blocks++
    }
    return { path, bytes: sstable.bytes, blocks, problem: null }
  } catch (error) {
    if (!(error instanceof CorruptFileError || error instanceof DataDirectoryError || error instanceof DiskError)) throw error
    return { path, bytes: sstable?.bytes ?? 0, blocks, problem: error.message }
  } finally {
    sstable?.retire()
  }
}

/** Sees the entries of all blocks in order. */
class OrderCheck {
  readonly #table: TableSchema
  readonly #path: string
  #tokenHigh = 0
  #tokenLow = 0
  #key: Buffer | null = null
  #row: { readonly bytes: Buffer; readonly at: number } | null = null

  constructor(table: TableSchema, path: string) {
    this.#table = table
    this.#path = path
  }

  /** Throws CorruptFileError. */
  block(block: SSTableBlock, offset: number): void {
    let partition = 0
    for (let entry = 0; entry < block.entryCount; entry++) {
      if (block.isPartition(entry)) this.#partition(block, partition++, entry, offset)
      else if (block.isRow(entry)) this.#checkRow(block, entry, offset)
    }
    if (partition !== block.partitionCount) this.#fail(offset, `a block lists ${block.partitionCount} partitions and has ${partition}`)
  }

  #partition(block: SSTableBlock, partition: number, entry: number, offset: number): void {
    if (block.partitionEntry(partition) !== entry) this.#fail(offset, "a block's list of partitions does not fit its entries")
    if (this.#key !== null && block.comparePartition(entry, this.#tokenHigh, this.#tokenLow, this.#key) <= 0) this.#fail(offset, "partitions are not in order")
    this.#key = Buffer.from(block.key(entry))
    const token = tokenOf(this.#key)
    this.#tokenHigh = token.high
    this.#tokenLow = token.low
    this.#row = null
  }

  #checkRow(block: SSTableBlock, entry: number, offset: number): void {
    const { bytes } = block
    const at = block.at(entry)
    if (this.#key === null) this.#fail(offset, "a row stands before the first partition")
    const last = this.#row
    if (last !== null && this.#compare(last.bytes, last.at, bytes, at) >= 0) this.#fail(offset, "rows are not in order")
    this.#row = { bytes, at }
  }

  #compare(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
    return this.#table.compareClustering(a, clusteringStart(aAt), clusteringEnd(a, aAt), b, clusteringStart(bAt), clusteringEnd(b, bAt))
  }

  #fail(offset: number, what: string): never {
    throw new CorruptFileError(this.#path, offset, what)
  }
}
