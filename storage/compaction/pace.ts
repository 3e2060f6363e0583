// Keeps a compaction from taking the whole disk: what it reads is counted, and it rests while it is ahead of its rate. The
// count is also its progress, in memory shared with the main thread, and the place where it is told to stop: a worker that
// is busy hears no message.
import type { Clock } from "../../runtime/clock.ts"
import type { Disk, ReadFile } from "../../runtime/disk.ts"

/** Shared: KiB read so far, and whether to stop. */
const READ_KIB = 0
const STOPPED = 1
const INTS = 2

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

  #countingFile(file: ReadFile): ReadFile {
    return {
      size: file.size,
      readNow: (into, at) => {
        const count = file.readNow(into, at)
        this.#bytes += count
        return count
      },
      read: (into, at, done) => {
        file.read(into, at, (error, count) => {
          this.#bytes += count
          done(error, count)
        })
      },
      close: () => file.close(),
    }
  }
}
