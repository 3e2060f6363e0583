// Keeps a compaction from taking the whole disk: what it reads is counted, and it rests while it is ahead of its rate. The
// count is also its progress, in memory shared with the main thread, which sets the rate there as compactions come and go, and
// says there when to stop: a worker that is busy hears no message.
import type { Clock } from "../../runtime/clock.ts"
import type { Disk, ReadFile } from "../../runtime/disk.ts"

/** Shared: KiB read so far, whether to stop, and KiB to read in a second (0: no limit). */
const READ_KIB = 0
const STOPPED = 1
const RATE_KIB = 2
const INTS = 3
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
  /** 0: as fast as it goes. */
  get bytesPerSecond(): number {
    return Atomics.load(this.#ints, RATE_KIB) * 1024
  }
  set bytesPerSecond(bytes: number) {
    Atomics.store(this.#ints, RATE_KIB, Math.ceil(bytes / 1024))
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
  #bytes = 0
  /** As of the last rest: when it was, how much had been read, and how much of it was too much. */
  #lastMs: number
  #lastBytes = 0
  #ahead = 0

  constructor(clock: Clock, control: CompactionControl) {
    this.#clock = clock
    this.#control = control
    this.#lastMs = clock.monotonicMs()
  }

  /** The disk, with what is read through it counted. */
  counting(disk: Disk): Pick<Disk, "readFile"> {
    return { readFile: (path) => this.#countingFile(disk.readFile(path)) }
  }

  /** Call now and then; throws when the compaction is to stop. */
  async rest(): Promise<void> {
    this.#control.bytesRead = this.#bytes
    if (this.#control.isStopped) throw new Error("the compaction was stopped")
    const nowMs = this.#clock.monotonicMs()
    const bytesPerMs = this.#control.bytesPerSecond / 1000
    this.#ahead = Math.max(0, this.#ahead + this.#bytes - this.#lastBytes - (nowMs - this.#lastMs) * bytesPerMs)
    this.#lastMs = nowMs
    this.#lastBytes = this.#bytes
    if (bytesPerMs === 0) this.#ahead = 0
    else if (this.#ahead >= bytesPerMs) await this.#clock.sleep(this.#ahead / bytesPerMs)
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
