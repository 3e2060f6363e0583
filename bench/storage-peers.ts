// classic-level (LevelDB) and lmdb under the same work as Belvedere in bench/storage.ts.
import { ClassicLevel } from "classic-level"
import { open as openLmdb } from "lmdb"
import { type Measure, type StorageWork, bytesOnDisk, inTurns } from "./storage-measure.ts"
import { key, setKey, valueAt } from "./storage-rows.ts"

export async function measureLevel(directory: string, measure: Measure, { rows, reads, batch, cacheBytes, smallCacheBytes }: StorageWork): Promise<void> {
  const options = { keyEncoding: "buffer", valueEncoding: "buffer", compression: true } as const
  const read = (db: ClassicLevel<Buffer, Buffer>, isPresent: boolean): Promise<void> =>
    inTurns(reads, (index) => {
      setKey(index * 37, rows, isPresent)
      if ((db.getSync(key) !== undefined) !== isPresent) throw new Error("a row is missing")
    })
  const db = new ClassicLevel<Buffer, Buffer>(directory, { ...options, cacheSize: cacheBytes })
  await db.open()
  await measure.once("insert", rows, async () => {
    for (let at = 0; at < rows; at += batch) {
      const chained = db.batch()
      for (let index = at; index < Math.min(at + batch, rows); index++) {
        setKey(index, rows)
        chained.put(Buffer.from(key), valueAt(index))
      }
      await chained.write()
    }
  })
  await measure.once("flush or compact all", rows, () => db.compactRange(Buffer.from([0]), Buffer.from([255])))
  measure.value("bytes on disk per row", bytesOnDisk(directory) / rows)
  await read(db, true)
  await measure.rounds("read, block cache", reads, () => read(db, true))
  await measure.rounds("miss", reads, () => read(db, false))
  await db.close()
  const small = new ClassicLevel<Buffer, Buffer>(directory, { ...options, cacheSize: smallCacheBytes })
  await small.open()
  await measure.rounds("read, page cache, compressed", reads, () => read(small, true))
  await measure.rounds("scan, compressed", rows, async () => {
    const iterator = small.iterator({ highWaterMarkBytes: 1 << 20 })
    for (let rowsRead = await iterator.nextv(1000); rowsRead.length > 0; rowsRead = await iterator.nextv(1000)) continue
    await iterator.close()
  })
  await small.close()
}

export async function measureLmdb(directory: string, measure: Measure, { rows, reads, batch }: StorageWork): Promise<void> {
  const db = openLmdb<Buffer, Buffer>({ path: directory, keyEncoding: "binary", encoding: "binary", noSync: true, mapSize: 4 * 1024 ** 3 })
  const read = (isPresent: boolean): Promise<void> =>
    inTurns(reads, (index) => {
      setKey(index * 37, rows, isPresent)
      if ((db.getBinaryFast(key) !== undefined) !== isPresent) throw new Error("a row is missing")
    })
  await measure.once("insert", rows, () => {
    for (let at = 0; at < rows; at += batch) {
      db.transactionSync(() => {
        for (let index = at; index < Math.min(at + batch, rows); index++) {
          setKey(index, rows)
          db.putSync(Buffer.from(key), valueAt(index))
        }
      })
    }
  })
  measure.value("bytes on disk per row", bytesOnDisk(directory) / rows)
  await measure.rounds("read, block cache", reads, () => read(true))
  await measure.rounds("miss", reads, () => read(false))
  await measure.rounds("scan, not compressed", rows, () => {
    let count = 0
    for (const entry of db.getRange()) if (entry.value.length > 0) count++
    if (count !== rows) throw new Error(`${count} rows scanned`)
  })
  await db.close()
}
