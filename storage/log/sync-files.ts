// Syncs as promises. Rejects with DiskError.
import type { Disk } from "../../runtime/disk.ts"

export function syncFile(file: { sync(done: (error: Error | null) => void): void }): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)))
  })
}

export function syncDirectory(disk: Disk, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    disk.syncDirectory(path, (error) => (error === null ? resolve() : reject(error)))
  })
}
