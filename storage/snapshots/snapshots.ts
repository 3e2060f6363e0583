// Snapshots: hard links to SSTables, so that they cost nothing until compaction lets go of the originals.
//
//   snapshots/<name>/<table id>/<number>.sst
//   snapshots/<name>/<table id>/snapshot.json      what it is (SnapshotInfo); written last, under another name, then renamed
//   snapshots/<name>/<table id>/schema.cql         the statement that makes the table, for people
//
// The links are made in one stretch, so that they are of one moment. A folder without snapshot.json was left by a crash and
// counts as nothing; taking the snapshot again replaces it. What is bad about it: a snapshot pins the disk space of every
// SSTable in it, and no one clears it but its owner.
import { type Disk, DiskError } from "../../runtime/disk.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { TableDescriptor, TableId } from "../../data/schema.ts"
import { syncDirectory } from "../log/sync-files.ts"
import { readWhole, writeWhole } from "../data-directory.ts"

/** Rises when an older release could misread a snapshot. */
const SNAPSHOT_FORMAT = 1

/** What a snapshot holds of one table. */
export interface SnapshotInfo {
  readonly format: number
  readonly name: string
  readonly table: TableDescriptor
  readonly createdAtMicros: number
  readonly sstables: readonly SnapshotSSTable[]
}

export interface SnapshotSSTable {
  readonly number: number
  readonly bytes: number
}

/** What is to be linked. */
export interface SnapshotSource {
  readonly table: TableDescriptor
  readonly sstables: readonly { readonly number: number; readonly path: string; readonly bytes: number }[]
  /** The statements that make the table; null: they are not known here. */
  readonly createStatement: string | null
}

/** A snapshot that cannot be taken or found. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError"
}

export class Snapshots {
  readonly #disk: Disk
  readonly #path: string

  /** `path`: the folder `snapshots`, which is made when it is needed. */
  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
  }

  /** Links everything before its first `await`. Throws SnapshotError when a table has a snapshot of the name already. */
  async take(name: string, sources: readonly SnapshotSource[], createdAtMicros: number): Promise<void> {
    if (name === "" || /[/\\\0]|^\.\.?$/.test(name)) throw new SnapshotError(`'${name}' is no name for a snapshot`)
    for (const { table } of sources) {
      if (this.#disk.exists(this.#infoPath(name, table.id))) throw new SnapshotError(`Snapshot ${name} already exists.`)
    }
    for (const source of sources) this.#link(name, source)
    const parent = this.#path.slice(0, this.#path.lastIndexOf("/"))
    for (const directory of [parent, this.#path, `${this.#path}/${name}`]) await syncDirectory(this.#disk, directory)
    for (const { table, sstables, createStatement } of sources) {
      const folder = this.folder(name, table.id)
      if (createStatement !== null) await writeWhole(this.#disk, `${folder}/schema.cql`, Buffer.from(`${createStatement}\n`))
      const info: SnapshotInfo = { format: SNAPSHOT_FORMAT, name, table, createdAtMicros, sstables: sstables.map(({ number, bytes }) => ({ number, bytes })) }
      await writeWhole(this.#disk, this.#infoPath(name, table.id), Buffer.from(`${JSON.stringify(info, null, 2)}\n`))
    }
  }

  /** By name, then table. */
  list(): SnapshotInfo[] {
    return this.#names(this.#path).flatMap((name) => this.#names(`${this.#path}/${name}`).flatMap((table) => this.find(name, Number(table)) ?? []))
  }

  /** Null when there is none. Throws SnapshotError when a newer version wrote it. */
  find(name: string, table: TableId): SnapshotInfo | null {
    const path = this.#infoPath(name, table)
    if (!this.#disk.exists(path)) return null
    const info = JSON.parse(readWhole(this.#disk, path).toString()) as SnapshotInfo
    if (info.format > SNAPSHOT_FORMAT) throw new SnapshotError(`${path} has format ${info.format}; this version reads up to ${SNAPSHOT_FORMAT}`)
    return info
  }

  /** Removes the snapshots of the tables under the name, or under every name; returns how many there were. */
  async clear(name: string | null, isChosen: (info: SnapshotInfo) => boolean): Promise<number> {
    const chosen = this.list().filter((info) => (name === null || info.name === name) && isChosen(info))
    for (const info of chosen) {
      // First what makes it a snapshot: half a one must not be found.
      this.#disk.remove(this.#infoPath(info.name, info.table.id))
      this.#disk.removeTree(this.folder(info.name, info.table.id))
      if (this.#names(`${this.#path}/${info.name}`).length === 0) this.#disk.removeTree(`${this.#path}/${info.name}`)
    }
    if (chosen.length > 0) await syncDirectory(this.#disk, this.#path)
    return chosen.length
  }

  folder(name: string, table: TableId): string {
    return `${this.#path}/${name}/${table}`
  }

  #link(name: string, { table, sstables }: SnapshotSource): void {
    const folder = this.folder(name, table.id)
    this.#disk.removeTree(folder)
    this.#disk.makeDirectory(folder)
    for (const { number, path } of sstables) this.#disk.link(path, `${folder}/${sstableName(number)}`)
  }

  #infoPath(name: string, table: TableId): string {
    return `${this.folder(name, table)}/snapshot.json`
  }

  #names(directory: string): string[] {
    try {
      return this.#disk.list(directory)
    } catch (error) {
      if (error instanceof DiskError && error.code === "ENOENT") return []
      throw error
    }
  }
}

function sstableName(number: number): string {
  return `${String(number).padStart(8, "0")}.sst`
}
