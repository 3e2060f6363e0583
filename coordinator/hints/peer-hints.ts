// The hints kept for one peer: a row of files, of which the last is being written.
import type { Epoch } from "../../data/schema.ts"
import type { AppendFile, Disk } from "../../runtime/disk.ts"
import { DiskError } from "../../runtime/disk.ts"
import type { NodeId } from "../../runtime/network.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { HINT_HEADER_SIZE, encodeHint, encodeHintHeader } from "./hint-file.ts"

const FILE_SIZE = 4 * 1024 * 1024

export interface HintFile {
  readonly path: string
  readonly createdAtMicros: number
  size: number
  /** Everything before has been acknowledged by the peer. */
  deliveredTo: number
}

export class PeerHints {
  readonly node: NodeId
  /** Oldest first; the open one is not among them. */
  readonly sealed: HintFile[] = []
  /** In all files and the buffer. */
  bytes = 0
  isDelivering = false
  readonly #disk: Disk
  readonly #directory: string
  #sequence = 1
  /** Everything written is on the disk, or a sync that will say so has begun. */
  #isSynced = true
  /** Syncs of files that were closed since. */
  #sealing: Promise<void> = Promise.resolve()
  #open: { readonly file: AppendFile; readonly hintFile: HintFile } | null = null
  readonly #buffer = new ByteWriter(4096)

  constructor(disk: Disk, directory: string, node: NodeId) {
    this.#disk = disk
    this.#directory = directory
    this.node = node
  }

  get isEmpty(): boolean {
    return this.sealed.length === 0 && this.#open === null && this.#buffer.length === 0
  }

  /** Microseconds since 1970; Infinity when there is none. */
  get oldestMicros(): number {
    return this.sealed[0]?.createdAtMicros ?? this.#open?.hintFile.createdAtMicros ?? Infinity
  }

  /** As `oldestMicros`, of the last file. */
  get newestMicros(): number {
    return this.#open?.hintFile.createdAtMicros ?? this.sealed.at(-1)?.createdAtMicros ?? -Infinity
  }
  get fileCount(): number {
    return this.sealed.length + (this.#open === null ? 0 : 1)
  }

  /** A file of an earlier process. */
  adopt(file: HintFile, sequence: number): void {
    this.sealed.push(file)
    this.bytes += file.size
    this.#sequence = Math.max(this.#sequence, sequence + 1)
  }

  append(mutation: Buffer, epoch: Epoch, nowMicros: number): void {
    const record = encodeHint(mutation, epoch, Math.floor(nowMicros / 1_000_000))
    this.#buffer.bytes(record)
    this.bytes += record.length
  }

  /** Throws DiskError; what could not be written is lost then. */
  writeOut(nowMicros: number): void {
    if (this.#buffer.length === 0) return
    try {
      const open = this.#open ?? this.#create(nowMicros)
      open.file.write(this.#buffer.view())
      this.#isSynced = false
      open.hintFile.size = open.file.size
      if (open.file.size >= FILE_SIZE) this.seal()
    } catch (error) {
      if (error instanceof DiskError) this.bytes -= this.#buffer.length
      throw error
    } finally {
      this.#buffer.reset()
    }
  }

  /** Closes the file being written, so that it can be delivered. */
  seal(): void {
    const open = this.#open
    if (open === null) return
    this.#open = null
    // Not waited for: a hint is an acknowledged write's second chance, not its proof.
    const syncing = syncOf(open.file).finally(() => open.file.close())
    syncing.catch(() => undefined)
    this.#sealing = this.#sealing.then(() => syncing)
    this.#sealing.catch(() => undefined)
    this.sealed.push(open.hintFile)
  }

  /** Resolves when everything written so far is on the disk, under its name. Rejects with DiskError. */
  async synced(): Promise<void> {
    if (this.#isSynced) return
    this.#isSynced = true
    const sealing = this.#sealing
    this.#sealing = Promise.resolve()
    try {
      await sealing
      if (this.#open !== null) await syncOf(this.#open.file)
      await new Promise<void>((resolve, reject) => {
        this.#disk.syncDirectory(this.#directory, (error) => (error === null ? resolve() : reject(error)))
      })
    } catch (error) {
      this.#isSynced = false
      throw error
    }
  }

  /** REQUIRES: the first sealed file. */
  remove(file: HintFile): void {
    this.sealed.shift()
    this.bytes -= file.size
    this.#disk.remove(file.path)
  }

  close(): void {
    this.#open?.file.close()
    this.#open = null
  }

  #create(nowMicros: number): { readonly file: AppendFile; readonly hintFile: HintFile } {
    const path = `${this.#directory}/${hintFileName(this.node, this.#sequence++)}`
    const file = this.#disk.appendFile(path)
    file.write(encodeHintHeader({ node: this.node, createdAtMicros: nowMicros }))
    this.bytes += HINT_HEADER_SIZE
    this.#open = { file, hintFile: { path, createdAtMicros: nowMicros, size: file.size, deliveredTo: HINT_HEADER_SIZE } }
    return this.#open
  }
}

function syncOf(file: AppendFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)))
  })
}

export function hintFileName(node: NodeId, sequence: number): string {
  return `${node}-${String(sequence).padStart(8, "0")}.hints`
}

/** Null for a file that is none of ours. */
export function parseHintFileName(name: string): { readonly node: NodeId; readonly sequence: number } | null {
  const match = /^(\d+)-(\d{8})\.hints$/.exec(name)
  return match === null ? null : { node: Number(match[1]), sequence: Number(match[2]) }
}
