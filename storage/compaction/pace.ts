// Keeps a compaction from taking the whole disk: what it reads is counted, and it rests while it is ahead of its rate. The
// count is also its progress, in memory shared with the main thread, and the place where it is told to stop: a worker that
// is busy hears no message.
import type { Clock } from "../../runtime/clock.ts"
import type { Disk, ReadFile } from "../../runtime/disk.ts"

/** Shared: KiB read so far, and whether to stop. */
const READ_KIB = 0
const STOPPED = 1
const INTS = 2
const READ_AHEAD_BYTES = 256 << 10

export class CompactionControl {
  readonly shared: SharedArrayBuffer
  readonly #ints: Int32Array

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4 * INTS)) {
    this.shared = shared
    this.#ints = new Int32Array(shared)
  }

  get bytesRead(): number {
    return Atomics.load(this.#ints, READ_KIB) * 1024
  }
  set bytesRead(bytes: number) {
    Atomics.store(this.#ints, READ_KIB, Math.ceil(bytes / 1024))
  }
  get isStopped(): boolean {
    return Atomics.load(this.#ints, STOPPED) !== 0
  }
  stop(): void {
    Atomics.store(this.#ints, STOPPED, 1)
  }
}

export class Pace {
  readonly #clock: Clock
  readonly #control: CompactionControl
  readonly #bytesPerMs: number
  readonly #startMs: number
  #bytes = 0

  /** `bytesPerSecond` 0: as fast as it goes. */
  constructor(clock: Clock, control: CompactionControl, bytesPerSecond: number) {
    this.#clock = clock
    this.#control = control
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#startMs = clock.monotonicMs()
  }

  /** The disk, with what is read through it counted. */
  counting(disk: Disk): Pick<Disk, "readFile"> {
    return { readFile: (path) => this.#countingFile(disk.readFile(path)) }
  }

  /** Call now and then; throws when the compaction is to stop. */
  async rest(): Promise<void> {
    this.#control.bytesRead = this.#bytes
    if (this.#control.isStopped) throw new Error("the compaction was stopped")
    if (this.#bytesPerMs === 0) return
    const aheadMs = this.#bytes / this.#bytesPerMs - (this.#clock.monotonicMs() - this.#startMs)
    if (aheadMs >= 1) await this.#clock.sleep(aheadMs)
  }

  /**
   * Inputs are read from front to back, in blocks of a few KiB: reading ahead makes one call to the operating system of
   * some sixty.
   */
  #countingFile(file: ReadFile): ReadFile {
    const ahead = new Uint8Array(READ_AHEAD_BYTES)
    let aheadAt = 0
    let aheadEnd = 0
    let lastEnd = -1
    return {
      size: file.size,
      readNow: (into, at) => {
        const end = Math.min(at + into.length, file.size)
        const isWithin = at >= aheadAt && end <= aheadEnd
        // What does not follow on what was read before (index, footer) is read as it is asked for.
        if (!isWithin && ((at !== aheadEnd && at !== lastEnd) || into.length > READ_AHEAD_BYTES)) {
          lastEnd = end
          this.#bytes += end - at
          return file.readNow(into, at)
        }
        if (!isWithin) {
          const count = file.readNow(ahead, at)
          this.#bytes += count
          aheadAt = at
          aheadEnd = at + count
        }
        const count = Math.min(end, aheadEnd) - at
        into.set(ahead.subarray(at - aheadAt, at - aheadAt + count))
        return count
      },
      read: (into, at, done) => file.read(into, at, done),
      close: () => file.close(),
    }
  }
}
