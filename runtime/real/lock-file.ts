// A lock file names the process that holds it: "pid startedAt bootId\n". It is taken over when that process is gone.
//
// 1. The text is written to a file of its own, which is then linked to the lock's name: a lock never exists half written.
// 2. When the name is taken, its holder is looked up. A process id alone proves nothing, since ids are reused (in a container
//    the main process is always 1), so the start time of the process and the boot of the machine must be the same too.
//    A process that died but was not yet waited for (a zombie) holds nothing.
// 3. Taking over happens under a second lock of the same kind (".takeover"), or two processes that both saw the dead holder could
//    each replace the file and both believe to have it.
//
// What it does not do: keep apart processes of different machines or process-id namespaces that share a directory.
// Where start times cannot be read (Windows), a live process with the holder's id counts as the holder.
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { DiskError } from "../disk.ts"
import type { DiskLock } from "../disk.ts"

let ownText: string | null = null

/** Throws DiskError EBUSY while a live process holds the lock. */
export function takeLockFile(path: string): DiskLock {
  ownText ??= describe(process.pid)
  const text = ownText
  const draft = `${path}.${process.pid}`
  // A process that died here may have had the same id, and its draft may be the lock itself under another name.
  fs.rmSync(draft, { force: true })
  fs.writeFileSync(draft, text)
  try {
    if (!tryLink(draft, path)) takeOver(draft, path)
  } finally {
    fs.rmSync(draft, { force: true })
  }
  let released = false
  return {
    release() {
      if (released) return
      released = true
      if (readText(path) === text) fs.rmSync(path, { force: true })
    },
  }
}

function takeOver(draft: string, path: string): void {
  const guard = `${path}.takeover`
  refuseLive(path)
  if (!tryLink(draft, guard)) {
    refuseLive(guard)
    // Its holder died between two system calls. Whoever comes next finds the way free.
    fs.rmSync(guard, { force: true })
    if (!tryLink(draft, guard)) throw busy(guard, "another process")
  }
  try {
    refuseLive(path)
    fs.rmSync(path, { force: true })
    if (!tryLink(draft, path)) throw busy(path, "another process")
  } finally {
    fs.rmSync(guard, { force: true })
  }
}

function refuseLive(path: string): void {
  const text = readText(path)
  if (text === null) return
  const pid = Number.parseInt(text, 10)
  if (Number.isInteger(pid) && pid > 0 && isAlive(pid) && isSame(describe(pid), text)) throw busy(path, `process ${pid}`)
}

function isSame(described: string, text: string): boolean {
  // Without a start time only the id can be compared.
  return described === text || text.split(" ")[1] === "?"
}

function busy(path: string, holder: string): DiskError {
  return new DiskError("EBUSY", path, `lock (held by ${holder})`)
}

function tryLink(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false
    throw error
  }
}

function readText(path: string): string | null {
  try {
    return fs.readFileSync(path, "latin1")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null
    throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: alive, and somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
  const state = linuxStat(pid)?.[0]
  return state !== "Z" && state !== "X"
}

function describe(pid: number): string {
  return `${pid} ${startedAt(pid) ?? "?"} ${bootId()}\n`
}

function startedAt(pid: number): string | null {
  if (process.platform === "linux") return linuxStat(pid)?.[19] ?? null
  if (process.platform === "win32") return null
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "latin1" }).trim().replaceAll(/\s+/g, "_") || null
  } catch {
    return null
  }
}

/** The fields of /proc/PID/stat from the third (the state) on; the second, a name, may hold blanks and brackets. */
function linuxStat(pid: number): string[] | null {
  if (process.platform !== "linux") return null
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  } catch {
    return null
  }
}

function bootId(): string {
  if (process.platform !== "linux") return "-"
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()
  } catch {
    return "-"
  }
}
