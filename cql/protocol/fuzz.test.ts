// Clients that send nonsense. Every input is a conversation of valid frames that is then damaged: bits, lengths, pieces
// missing, doubled or swapped, before or after it is put into segments.
//
// Laws:
//   1. Nothing throws, whatever arrives.
//   2. What the server sends is well-formed; if it ended the connection, the last thing it said was a protocol error.
//   3. How the bytes are cut into reads makes no difference, nor does how fast the client reads.
//   4. Another connection is served as ever.
//
// FUZZ_COUNT inputs from seed FUZZ_SEED on; a failure names the seed that repeats it alone.
import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { ERROR_CODE } from "../errors.ts"
import type { FrameCompression } from "./compression.ts"
import { FRAME_HEADER_SIZE } from "./frame.ts"
import { OPCODE } from "./opcode.ts"
import { setup } from "./testing-server.ts"
import {
  type Answer, batchFrame, errorOf, executeFrame, frameBytes, openSegments, optionsFrame, parseFrames, prepareFrame, queryFrame, registerFrame, segmentBytes,
  startupFrame,
} from "./testing.ts"

const COUNT = Number(process.env["FUZZ_COUNT"] ?? 2000)
const FIRST_SEED = Number(process.env["FUZZ_SEED"] ?? 1)
const READY_SIZE = 9
const MAX_FRAME_SIZE = 3000

class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) | 1
  }
  /** 0 <= n < sides (mulberry32). */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % sides
  }
  bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.roll(256)))
  }
  pick<T>(list: readonly T[]): T {
    return list[this.roll(list.length)] as T
  }
}

function randomFrame(dice: Dice, version: number, compression: FrameCompression | null): Buffer {
  const options = { version, stream: dice.roll(65536) - 32768, flags: dice.roll(6) === 0 ? dice.roll(32) & ~1 : 0, compress: version < 5 && dice.roll(3) === 0 ? compression : null }
  const values = Array.from({ length: dice.roll(5) }, () => dice.pick([null, undefined, dice.bytes(dice.roll(40))]))
  const parameters = {
    consistency: dice.roll(12),
    ...(dice.roll(2) === 0 ? { values } : {}),
    ...(dice.roll(4) === 0 ? { names: values.map((_, i) => "n" + i) } : {}),
    ...(dice.roll(3) === 0 ? { pageSize: dice.roll(1000) - 10, pagingState: dice.bytes(dice.roll(30)) } : {}),
    ...(dice.roll(3) === 0 ? { timestamp: [dice.roll(2 ** 31), dice.roll(2 ** 31)] as const } : {}),
    ...(dice.roll(3) === 0 ? { keyspace: "ks", nowSeconds: dice.roll(2 ** 31), serialConsistency: 8 } : {}),
  }
  switch (dice.roll(8)) {
    case 0:
      return optionsFrame(options)
    case 1:
      return registerFrame(["SCHEMA_CHANGE", dice.pick(["STATUS_CHANGE", "x"])], options)
    case 2:
      return prepareFrame("SELECT " + dice.roll(9), dice.pick([null, "ks"]), options)
    case 3:
      return batchFrame(dice.roll(4), [{ query: "INSERT", values }, { query: dice.bytes(16), values: [] }], parameters, options)
    case 4:
      return frameBytes(dice.roll(0x13), dice.bytes(dice.roll(60)), options)
    case 5:
      return queryFrame("SELECT " + "x".repeat(dice.roll(dice.pick([200, 2000, MAX_FRAME_SIZE * 2]))), parameters, options)
    default:
      return executeFrame(dice.bytes(dice.pick([16, 16, 3])), dice.bytes(16), parameters, options)
  }
}

function damage(dice: Dice, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes
  const at = dice.roll(bytes.length)
  const size = Math.min(dice.roll(20), bytes.length - at)
  const copy = Buffer.from(bytes)
  switch (dice.roll(7)) {
    case 0:
      copy[at] = (copy[at] as number) ^ (1 << dice.roll(8))
      return copy
    case 1:
      copy[at] = dice.pick([0, 1, 0x7f, 0x80, 0xff, 3, 4, 5, 66])
      return copy
    case 2:
      if (at + 4 <= copy.length) copy.writeInt32BE(dice.pick([-1, -2, -3, 0, 1, 0x7fffffff, -0x80000000, 70_000, 20_000_000]), at)
      return copy
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)])
    case 4:
      return Buffer.concat([bytes.subarray(0, at + size), bytes.subarray(at)])
    case 5:
      return Buffer.concat([bytes.subarray(0, at), dice.bytes(size), bytes.subarray(at)])
    default:
      return bytes.subarray(0, at)
  }
}

// The body only, in a frame that fits it: this reaches further into the decoders.
function damageBody(dice: Dice, frame: Buffer): Buffer {
  const intact = frame.subarray(FRAME_HEADER_SIZE)
  const body = dice.roll(2) === 0 ? intact.subarray(0, -1 - dice.roll(30)) : damage(dice, intact)
  const header = Buffer.from(frame.subarray(0, FRAME_HEADER_SIZE))
  header.writeInt32BE(body.length, FRAME_HEADER_SIZE - 4)
  return Buffer.concat([header, body])
}

interface Input {
  version: number
  compression: FrameCompression | null
  bytes: Buffer
}

function randomInput(seed: number): Input {
  const dice = new Dice(seed)
  const version = dice.pick([3, 4, 4, 5, 5])
  const compression = dice.roll(2) === 0 ? null : version < 5 ? dice.pick(["lz4", "snappy"] as const) : "lz4"
  const frames = Array.from({ length: 1 + dice.roll(8) }, () => {
    const frame = randomFrame(dice, dice.roll(60) === 0 ? dice.roll(128) : version, compression)
    return dice.roll(3) > 0 ? frame : dice.roll(3) > 0 ? damageBody(dice, frame) : damage(dice, frame)
  })
  let bytes: Buffer
  if (version < 5) bytes = Buffer.concat(frames)
  else {
    bytes = Buffer.concat(
      frames.flatMap((frame) => {
        if (dice.roll(4) > 0 || frame.length === 0) return [segmentBytes(frame, { compressed: compression !== null })]
        const cut = dice.roll(frame.length)
        return [frame.subarray(0, cut), frame.subarray(cut)].map((part) => segmentBytes(part, { compressed: compression !== null, selfContained: false }))
      }),
    )
  }
  for (let i = dice.roll(3); i > 0; i--) if (dice.roll(3) === 0) bytes = damage(dice, bytes)
  return { version, compression, bytes }
}

interface Outcome {
  calls: unknown[]
  answers: Answer[]
  ended: boolean
}

/** One conversation; `cut` decides the size of the next read, `slow` whether the client reads only after the next one. */
function converse(input: Input, cut: () => number, slow: () => boolean): Outcome {
  const { handler, connect, server, start } = setup({ maxFrameSize: MAX_FRAME_SIZE, earlyFlushBytes: 40 })
  const client = connect()
  client.send(startupFrame({ CQL_VERSION: "3.0.0", ...(input.compression === null ? {} : { COMPRESSION: input.compression }) }, { version: input.version }))
  expect(client.takeBytes()).toHaveLength(READY_SIZE)
  for (let at = 0; at < input.bytes.length; ) {
    const size = cut()
    if (slow()) client.writable = false
    client.send(input.bytes.subarray(at, at + size))
    if (!client.writable) client.read()
    at += size
  }
  const calls = handler.calls.map((call) => [call.kind, call.text, call.options])
  const sent = client.takeBytes()
  const answers = parseFrames(input.version === 5 ? openSegments(sent, input.compression !== null) : sent, input.compression)
  const witness = start()
  witness.send(queryFrame("still there?"))
  expect(witness.takeAnswers().map((answer) => answer.opcode)).toEqual([OPCODE.result])
  expect(server.connectionCount).toBe(2)
  return { calls, answers, ended: client.ended }
}

function check(seed: number): Outcome {
  const input = randomInput(seed)
  const dice = new Dice(~seed)
  const whole = converse(input, () => input.bytes.length, () => false)
  const pieces = converse(input, () => 1 + dice.roll(dice.pick([1, 10, 300, 3000])), () => dice.roll(3) === 0)
  expect(pieces).toEqual(whole)
  if (whole.ended) {
    const last = whole.answers.at(-1) as Answer
    expect(last.opcode).toBe(OPCODE.error)
    expect(errorOf(last).code).toBe(ERROR_CODE.protocol)
  }
  return whole
}

test(`${COUNT} damaged conversations`, () => {
  const seen = { ended: 0, wentOn: 0, calls: 0, errors: 0 }
  for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT; seed++) {
    try {
      const outcome = check(seed)
      if (outcome.ended) seen.ended++
      else seen.wentOn++
      seen.calls += outcome.calls.length
      seen.errors += outcome.answers.filter((answer) => answer.opcode === OPCODE.error).length
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed} FUZZ_COUNT=1 repeats this: ${error instanceof Error ? error.stack : String(error)}`, { cause: error })
    }
  }
  // The damage must neither spare everything nor drown it.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(COUNT > 1 ? COUNT / 10 : -1)
})
