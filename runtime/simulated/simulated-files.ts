// The files and directories of a simulated disk, each in two states: what a process sees, and what a power loss would leave.
//
// Content. Of a file, the first `durableLength` bytes are safe. What was appended since may survive in part: up to an arbitrary
// length, and with blocks in it that were never written (zeros or old bytes). A cut below the safe length may itself be undone.
// Of bytes that were written over since, each block holds what it held after the last sync or after any write since then,
// whatever the others hold: writes reach the disk in any order.
//
// Names. A directory holds its entries as seen and as safe. Every change of names is an operation that waits until the directory is
// synced. A power loss keeps an arbitrary subset of the waiting ones, except that an operation is kept or lost as a whole (a rename
// never loses the file), and only if all earlier ones on the same names are kept.
import { Buffer, assert } from "../pure.ts"
import type { Random } from "../random.ts"

const BLOCK_SIZE = 512

export class FileNode {
  bytes = Buffer.alloc(0)
  length = 0
  durableLength = 0
  /** Names that lead here. */
  links = 0
  /** Safe bytes behind `durableLength` that were cut off since the last sync. */
  #cutTail: Buffer | null = null
  #cuts = 0
  /** What was written over since the last sync, oldest first: where, and the bytes that were there. */
  #overwritten: { readonly at: number; readonly bytes: Buffer }[] = []
  #overwrites = 0

  append(bytes: Uint8Array): void {
    this.overwrite(bytes, this.length)
  }

  /** REQUIRES: `at` is not beyond the end. */
  overwrite(bytes: Uint8Array, at: number): void {
    const end = at + bytes.length
    const oldEnd = Math.min(end, this.length)
    if (oldEnd > at) {
      this.#overwritten.push({ at, bytes: Buffer.from(this.bytes.subarray(at, oldEnd)) })
      this.#overwrites++
    }
    if (end > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.bytes.length * 2, 256))
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    this.bytes.set(bytes, at)
    this.length = Math.max(this.length, end)
  }

  truncate(length: number): void {
    if (length > this.length) return this.append(Buffer.alloc(length - this.length))
    if (length < this.length) this.#cuts++
    if (length < this.durableLength) {
      const tail = this.bytes.subarray(length, this.durableLength)
      this.#cutTail = Buffer.concat(this.#cutTail === null ? [tail] : [tail, this.#cutTail])
      this.durableLength = length
    }
    this.length = length
  }

  /** What a sync that starts now will have made safe: call the result when it is done. */
  beginSync(): () => void {
    const { length } = this
    const cuts = this.#cuts
    const overwrites = this.#overwrites
    return () => {
      if (cuts !== this.#cuts) return
      this.#cutTail = null
      // Those since the sync began are still open.
      this.#overwritten = this.#overwritten.slice(Math.max(this.#overwritten.length - (this.#overwrites - overwrites), 0))
      this.durableLength = Math.max(this.durableLength, length)
    }
  }

  losePower(random: Random): void {
    this.#loseOverwrites(random)
    const tail = this.#cutTail
    this.#cutTail = null
    if (tail !== null && random.below(2) === 0) {
      this.length = this.durableLength
      this.append(tail)
    } else {
      this.#tear(random)
    }
    this.durableLength = this.length
  }

  #loseOverwrites(random: Random): void {
    const overwritten = this.#overwritten.toReversed()
    this.#overwritten = []
    const blocks = new Set(overwritten.flatMap(({ at, bytes }) => {
      const first = Math.floor(at / BLOCK_SIZE)
      return Array.from({ length: Math.ceil((at + bytes.length) / BLOCK_SIZE) - first }, (_, index) => first + index)
    }))
    for (const block of [...blocks].toSorted((a, b) => a - b)) {
      const start = block * BLOCK_SIZE
      const touching = overwritten.filter(({ at, bytes }) => at < start + BLOCK_SIZE && at + bytes.length > start)
      // The newest so many never came to the disk.
      for (const { at, bytes } of touching.slice(0, random.below(touching.length + 1))) {
        const from = Math.max(at, start)
        const to = Math.min(at + bytes.length, start + BLOCK_SIZE)
        bytes.copy(this.bytes, from, from - at, to - at)
      }
    }
  }

  /** Keeps none, all or an arbitrary part of what was not synced, and sometimes leaves blocks in it that were never written. */
  #tear(random: Random): void {
    const from = this.durableLength
    const fate = random.below(4)
    if (fate === 0) this.length = from
    if (fate >= 2) this.length = from + random.below(this.length - from + 1)
    if (fate !== 3) return
    for (let at = from - (from % BLOCK_SIZE); at < this.length; at += BLOCK_SIZE) {
      const block = this.bytes.subarray(Math.max(at, from), Math.min(at + BLOCK_SIZE, this.length))
      const blockFate = random.below(4)
      if (blockFate === 0) block.fill(0)
      else if (blockFate === 1) random.bytes(block.length).copy(block)
    }
  }
}

export class DirectoryNode {
  readonly entries = new Map<string, Node>()
  readonly durable = new Map<string, Node>()
}

export type Node = FileNode | DirectoryNode

/** One name's new meaning; null: gone. */
export interface NameChange {
  readonly directory: DirectoryNode
  readonly name: string
  readonly node: Node | null
}

interface NameOperation {
  readonly number: number
  readonly changes: readonly NameChange[]
}

/** The changes of names that no `syncDirectory` has covered yet. */
export class NameJournal {
  #waiting: NameOperation[] = []
  #next = 0

  /** Makes the changes visible, all at once, and remembers them. */
  change(changes: readonly NameChange[]): void {
    for (const { directory, name, node } of changes) {
      const old = directory.entries.get(name)
      if (node === null) directory.entries.delete(name)
      else directory.entries.set(name, node)
      if (node instanceof FileNode) node.links++
      if (old instanceof FileNode) old.links--
    }
    this.#waiting.push({ number: this.#next++, changes })
  }

  /** Call the result when a sync of the directory that starts now is done. */
  beginSync(directory: DirectoryNode): () => void {
    const end = this.#next
    return () => this.#settle(directory, end)
  }

  losePower(root: DirectoryNode, random: Random): void {
    const lost = new NameSet()
    for (const operation of this.#waiting) {
      const isLost = operation.changes.some((change) => lost.has(change)) || random.below(2) === 0
      if (isLost) for (const change of operation.changes) lost.add(change)
      else makeDurable(operation)
    }
    this.#waiting = []
    revert(root)
  }

  #settle(directory: DirectoryNode, end: number): void {
    // From the last to the first: whatever an operation that becomes safe builds on becomes safe with it.
    const needed = new NameSet()
    const settled = new Set<NameOperation>()
    for (const operation of this.#waiting.toReversed()) {
      if (operation.number >= end) continue
      const { changes } = operation
      if (!changes.some((change) => change.directory === directory || needed.has(change))) continue
      for (const change of changes) needed.add(change)
      settled.add(operation)
    }
    for (const operation of this.#waiting) if (settled.has(operation)) makeDurable(operation)
    this.#waiting = this.#waiting.filter((operation) => !settled.has(operation))
  }
}

class NameSet {
  readonly #names = new Map<DirectoryNode, Set<string>>()

  has({ directory, name }: NameChange): boolean {
    return this.#names.get(directory)?.has(name) === true
  }
  add({ directory, name }: NameChange): void {
    let names = this.#names.get(directory)
    if (names === undefined) {
      names = new Set()
      this.#names.set(directory, names)
    }
    names.add(name)
  }
}

function makeDurable(operation: NameOperation): void {
  for (const { directory, name, node } of operation.changes) {
    if (node === null) directory.durable.delete(name)
    else directory.durable.set(name, node)
  }
}

/** Makes what is safe what is seen, in the whole tree. */
function revert(root: DirectoryNode): void {
  const seen = new Set<Node>()
  const visit = (directory: DirectoryNode): void => {
    directory.entries.clear()
    for (const [name, node] of directory.durable) {
      directory.entries.set(name, node)
      if (!seen.has(node)) {
        seen.add(node)
        if (node instanceof FileNode) node.links = 0
        else visit(node)
      }
      if (node instanceof FileNode) node.links++
    }
  }
  visit(root)
}

/** All files below the directory, each once, in the order of their names. */
export function filesBelow(directory: DirectoryNode, into = new Set<FileNode>()): Set<FileNode> {
  for (const name of [...directory.entries.keys()].toSorted()) {
    const node = directory.entries.get(name)
    assert(node !== undefined, "an entry has a node")
    if (node instanceof FileNode) into.add(node)
    else filesBelow(node, into)
  }
  return into
}
