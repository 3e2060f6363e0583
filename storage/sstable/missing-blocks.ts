// Brings blocks that a read will want into the cache, without blocking.
import { DiskError } from "../../runtime/disk.ts"
import { CorruptFileError } from "../errors.ts"
import type { MissingBlock, SSTable } from "./sstable.ts"

/** A block is found by way of index blocks: one for where the partition starts, one for where it ends, one for a slice. What is still missing then is read when it comes. */
const MOST_ROUNDS = 4

/** `find` adds what is missing, and is asked again when that is there. Null: nothing is. Rejects with CorruptFileError or DiskError. */
export function bringIn(find: (into: MissingBlock[]) => void): Promise<void> | null {
  const missing: MissingBlock[] = []
  find(missing)
  return missing.length === 0 ? null : bringInRounds(find, missing)
}

async function bringInRounds(find: (into: MissingBlock[]) => void, first: MissingBlock[]): Promise<void> {
  let missing = first
  for (let round = 1; missing.length > 0; round++) {
    await loadAll(missing)
    if (round === MOST_ROUNDS) return
    missing = []
    find(missing)
  }
}

/**
 * Lets the operating system read what a walk over so many rows from a token on will want of each file, so that the walk itself, which
 * blocks, finds it in the page cache. Errors are left to the walk.
 */
export async function warm(sstables: readonly SSTable[], tokenHigh: number, tokenLow: number, rows: number): Promise<void> {
  try {
    await bringIn((into) => {
      for (const sstable of sstables) sstable.missingIndex(tokenHigh, tokenLow, into)
    })
    await Promise.all(sstables.map((sstable) => new Promise<void>((resolve) => sstable.warm(tokenHigh, tokenLow, rows, resolve))))
  } catch (error) {
    if (!(error instanceof DiskError) && !(error instanceof CorruptFileError)) throw error
  }
}

function loadAll(missing: readonly MissingBlock[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = missing.length
    for (const block of missing) {
      block.table.load(block, (error) => {
        if (error !== null) reject(error)
        else if (--left === 0) resolve()
      })
    }
  })
}
