// The directory that holds everything one node stores:
//
//   belvedere.json          whose directory this is, and its format
//   lock                    held while a process uses it
//   manifest                which SSTables are live (manifest.ts)
//   commitlog/NNNNNNNNNN.log
//   tables/<table id>/<number>.sst
//
// It opens for the node and the cluster it was made for, and only in a format that this version knows.
import { Buffer } from "../runtime/pure.ts"
import { type Disk, DiskError, type DiskLock } from "../runtime/disk.ts"
import { syncDirectory, syncFile } from "./log/sync-files.ts"
import type { TableId } from "../data/schema.ts"
import { DataDirectoryError } from "./errors.ts"

/** Rises when an older release could misread the directory. */
export const DIRECTORY_FORMAT = 1

export interface Identity {
  readonly format: number
  readonly hostId: string
  readonly clusterName: string
}

export class DataDirectory {
  readonly disk: Disk
  readonly path: string
  readonly #lock: DiskLock

  private constructor(disk: Disk, path: string, lock: DiskLock) {
    this.disk = disk
    this.path = path
    this.#lock = lock
  }

  /** Takes the lock and checks or writes the identity. Throws DataDirectoryError. */
  static async open(disk: Disk, path: string, hostId: string, clusterName: string): Promise<DataDirectory> {
    await makeDirectoryDurably(disk, path)
    const directory = new DataDirectory(disk, path, takeLock(disk, path))
    try {
      if (disk.exists(directory.identityPath)) checkIdentity(directory, hostId, clusterName)
      else await writeWhole(disk, directory.identityPath, Buffer.from(identityText({ format: DIRECTORY_FORMAT, hostId, clusterName })))
      disk.makeDirectory(directory.commitLogPath)
      disk.makeDirectory(directory.tablesPath)
      await syncDirectory(disk, path)
      return directory
    } catch (error) {
      directory.close()
      throw error
    }
  }

  get identityPath(): string {
    return `${this.path}/belvedere.json`
  }
  get manifestPath(): string {
    return `${this.path}/manifest`
  }
  get commitLogPath(): string {
    return `${this.path}/commitlog`
  }
  get tablesPath(): string {
    return `${this.path}/tables`
  }
  tablePath(table: TableId): string {
    return `${this.tablesPath}/${table}`
  }

  close(): void {
    this.#lock.release()
  }
}

function takeLock(disk: Disk, path: string): DiskLock {
  try {
    return disk.lock(`${path}/lock`)
  } catch (error) {
    if (error instanceof DiskError && error.code === "EBUSY") throw new DataDirectoryError("in_use", `the data directory ${path} is in use: ${error.message}`)
    throw error
  }
}

function identityText(identity: Identity): string {
  return `${JSON.stringify(identity, null, 2)}\n`
}

function checkIdentity({ disk, identityPath, path }: DataDirectory, hostId: string, clusterName: string): void {
  const identity = readIdentity(disk, identityPath)
  if (identity.format > DIRECTORY_FORMAT) {
    throw new DataDirectoryError("newer_format", `the data directory ${path} has format ${identity.format}; this version reads up to ${DIRECTORY_FORMAT}`)
  }
  if (identity.clusterName !== clusterName) {
    throw new DataDirectoryError("other_cluster", `the data directory ${path} belongs to the cluster "${identity.clusterName}", not "${clusterName}"`)
  }
  if (identity.hostId !== hostId) {
    throw new DataDirectoryError("other_host", `the data directory ${path} belongs to the node ${identity.hostId}, not ${hostId}`)
  }
}

/** Reads an identity file. Throws DataDirectoryError when it is not one. */
export function readIdentity(disk: Disk, path: string): Identity {
  try {
    const value: unknown = JSON.parse(readWhole(disk, path).toString())
    if (typeof value === "object" && value !== null && "format" in value && "hostId" in value && "clusterName" in value) {
      const { format, hostId, clusterName } = value
      if (typeof format === "number" && typeof hostId === "string" && typeof clusterName === "string") return { format, hostId, clusterName }
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new DataDirectoryError("damaged", `${path} does not say whose data directory this is`)
}

export function readWhole(disk: Disk, path: string): Buffer {
  const file = disk.readFile(path)
  try {
    const bytes = Buffer.allocUnsafe(file.size)
    return bytes.subarray(0, file.readNow(bytes, 0))
  } finally {
    file.close()
  }
}

/** Makes the directory, with parents, so that a loss of power does not take it away with all that is synced in it. */
export async function makeDirectoryDurably(disk: Disk, path: string): Promise<void> {
  // The last one always: whoever made it may have died before its name was safe.
  const parents = [parentOf(path)]
  for (let parent = parentOf(path); !disk.exists(parent) && parent !== parentOf(parent); parent = parentOf(parent)) parents.push(parentOf(parent))
  disk.makeDirectory(path)
  for (const parent of parents.toReversed()) await syncDirectory(disk, parent)
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/")
  return slash < 0 ? "." : path.slice(0, Math.max(slash, 1))
}

/** Replaces a file atomically and durably: after a crash it is the old one or the new one, whole. */
export async function writeWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  const file = disk.appendFile(temporary, { truncateTo: 0 })
  try {
    file.write(bytes)
    await syncFile(file)
  } finally {
    file.close()
  }
  disk.rename(temporary, path)
  await syncDirectory(disk, path.slice(0, path.lastIndexOf("/")))
}
