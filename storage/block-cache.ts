// Blocks of SSTables in memory, up to a number of bytes. A file keeps an array of its blocks, so that a hit is one array
// access and a mark; when there are too many bytes a clock hand goes round and lets go of blocks that were not marked
// since it last came by.
import type { SSTableBlock } from "./sstable-block.ts"

/** The cached blocks of one file, by index. */
export class CachedFile {
  readonly blocks: (SSTableBlock | null)[]
  /** Marks of use, by index. */
  readonly used: Uint8Array
  /** Blocks in the cache. */
  count = 0

  constructor(blockCount: number) {
    this.blocks = new Array<SSTableBlock | null>(blockCount).fill(null)
    this.used = new Uint8Array(blockCount)
  }
}

export class BlockCache {
  readonly #capacityBytes: number
  #bytes = 0
  /** Cached blocks in the order of the hand: parallel arrays. */
  readonly #files: CachedFile[] = []
  readonly #indexes: number[] = []
  #hand = 0

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(file: CachedFile, index: number): SSTableBlock | null {
    const block = file.blocks[index] as SSTableBlock | null
    if (block !== null) file.used[index] = 1
    return block
  }

  put(file: CachedFile, index: number, block: SSTableBlock): void {
    if (file.blocks[index] !== null) return
    file.blocks[index] = block
    file.used[index] = 1
    file.count++
    this.#bytes += block.bytes.length
    this.#files.push(file)
    this.#indexes.push(index)
    while (this.#bytes > this.#capacityBytes && this.#files.length > 1) this.#evictOne()
  }

  /** Lets go of all blocks of a file that is gone. */
  forget(file: CachedFile): void {
    if (file.count === 0) return
    for (let at = this.#files.length - 1; at >= 0; at--) if (this.#files[at] === file) this.#removeAt(at)
  }

  #evictOne(): void {
    for (;;) {
      if (this.#hand >= this.#files.length) this.#hand = 0
      const file = this.#files[this.#hand] as CachedFile
      const index = this.#indexes[this.#hand] as number
      if (file.used[index] === 0) {
        this.#removeAt(this.#hand)
        return
      }
      file.used[index] = 0
      this.#hand++
    }
  }

  #removeAt(at: number): void {
    const file = this.#files[at] as CachedFile
    const index = this.#indexes[at] as number
    this.#bytes -= (file.blocks[index] as SSTableBlock).bytes.length
    file.blocks[index] = null
    file.count--
    // The last one takes its place: the order of the hand is only roughly that of arrival.
    const lastFile = this.#files.pop() as CachedFile
    const lastIndex = this.#indexes.pop() as number
    if (at === this.#files.length) return
    this.#files[at] = lastFile
    this.#indexes[at] = lastIndex
  }
}
