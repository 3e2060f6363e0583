// A small file that is replaced as a whole: the metadata state and the node's identity. Big-endian.
//
//   offset  field
//   0       4 bytes  magic      "BVST"
//   4       u16      version    1
//   6       u16      reserved   0
//   8       u32      length     of the content
//   12      u32      crc        CRC-32 of the content
//   16      content             JSON, UTF-8
//
// It is written under another name, synced, renamed over the old one, and the directory synced: a crash leaves the old
// or the new content, never a mixture. Versions: 1 this one.
// What is bad about it: the whole content is written for every change; fine for what a schema weighs.
import { Buffer, crc32 } from "../runtime/pure.ts"
import { CorruptionError } from "../data/bytes.ts"
import type { Disk, DiskDone } from "../runtime/disk.ts"

const MAGIC = 0x42565354
const VERSION = 1
const HEADER_SIZE = 16

export function encodeStateFile(value: unknown): Buffer {
  const content = Buffer.from(JSON.stringify(value))
  const file = Buffer.alloc(HEADER_SIZE + content.length)
  file.writeUInt32BE(MAGIC, 0)
  file.writeUInt16BE(VERSION, 4)
  file.writeUInt32BE(content.length, 8)
  file.writeUInt32BE(crc32(content), 12)
  content.copy(file, HEADER_SIZE)
  return file
}

/** Throws CorruptionError, also for a version that is newer than this program. */
export function decodeStateFile(file: Buffer): unknown {
  if (file.length < HEADER_SIZE || file.readUInt32BE(0) !== MAGIC) throw new CorruptionError("expected the header of a state file", 0)
  if (file.readUInt16BE(4) !== VERSION) throw new CorruptionError(`expected state file version ${VERSION}, found ${file.readUInt16BE(4)}`, 4)
  const content = file.subarray(HEADER_SIZE, HEADER_SIZE + file.readUInt32BE(8))
  if (content.length !== file.readUInt32BE(8) || file.length !== HEADER_SIZE + content.length) throw new CorruptionError("the state file is cut off or too long", 8)
  if (crc32(content) !== file.readUInt32BE(12)) throw new CorruptionError("the state file's content does not match its CRC", 12)
  return JSON.parse(content.toString("utf8"))
}

/** Null when the file does not exist. */
export function readStateFile(disk: Disk, path: string): unknown {
  if (!disk.exists(path)) return null
  const file = disk.readFile(path)
  try {
    const bytes = Buffer.alloc(file.size)
    file.readNow(bytes, 0)
    return decodeStateFile(bytes)
  } catch (error) {
    if (error instanceof CorruptionError) throw new Error(`${path}: ${error.message}`, { cause: error })
    throw error
  } finally {
    file.close()
  }
}

/** Resolves once the new content is durable. REQUIRES: one write of the same file at a time. */
export async function writeStateFile(disk: Disk, directory: string, name: string, value: unknown): Promise<void> {
  const temporary = `${directory}/${name}.tmp`
  if (disk.exists(temporary)) disk.remove(temporary)
  const file = disk.appendFile(temporary)
  try {
    file.write(encodeStateFile(value))
    await synced((done) => file.sync(done))
  } finally {
    file.close()
  }
  disk.rename(temporary, `${directory}/${name}`)
  await synced((done) => disk.syncDirectory(directory, done))
}

/** Makes the directory and its name, and those of the directories above it, durable. */
export async function makeDurableDirectory(disk: Disk, path: string): Promise<void> {
  disk.makeDirectory(path)
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const parent = path.slice(0, end)
    await synced((done) => disk.syncDirectory(parent, done))
  }
  const top = path.startsWith("/") ? "/" : "."
  await synced((done) => disk.syncDirectory(top, done))
}

function synced(start: (done: DiskDone) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error === null ? resolve() : reject(error))))
}
