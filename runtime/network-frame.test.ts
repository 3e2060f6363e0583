// The frame codec of the internode transport: golden bytes, round trips, and that no damage gets through.
import * as fs from "node:fs"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Lane } from "./network.ts"
import { LANE } from "./network.ts"
import { crc32 } from "./pure.ts"
import { Frame, FRAME_OVERHEAD, FRAME_SIZE, FrameError, frameOf, readFrame } from "./real/network-frame.ts"
import { encodeHandshake, readHandshake } from "./real/network-handshake.ts"

/** The bytes of an annotated hexdump: what stands left of "#". */
function golden(name: string): Buffer {
  const lines = fs.readFileSync(new URL(`./testdata/${name}.hex`, import.meta.url), "utf8").split("\n")
  return Buffer.from(lines.map((line) => line.replace(/#.*/, "").replaceAll(" ", "")).join(""), "hex")
}

function read(bytes: Buffer): { lane: Lane; messages: string[] } {
  const messages: string[] = []
  let lane: Lane = LANE.control
  readFrame(bytes, (frameLane, message) => {
    lane = frameLane
    messages.push(message.toString("latin1"))
  })
  return { lane, messages }
}

function build(lane: Lane, messages: readonly Uint8Array[]): Buffer {
  const frame = new Frame()
  for (const message of messages) frame.add(message)
  return Buffer.from(frame.seal(lane))
}

const HANDSHAKE = { clusterName: "test", self: 3, hostId: "5bc7e6a2-5d0b-4c54-9d3a-2f0f1b4c8e11", incarnation: 1_735_689_600_000_123 }

describe("frame", () => {
  it("has these bytes", () => {
    const bytes = build(LANE.data, ["first", "", "2nd"].map((text) => Buffer.from(text)))
    expect(bytes.toString("hex")).toBe(golden("network-frame").toString("hex"))
    expect(read(golden("network-frame"))).toEqual({ lane: LANE.data, messages: ["first", "", "2nd"] })
  })

  it("gives back what was put in (law)", () => {
    const lane = fc.constantFrom<Lane>(0, 1, 2)
    fc.assert(fc.property(lane, fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 50 }), (lane, messages) => {
      const seen = read(build(lane, messages))
      expect(seen).toEqual({ lane, messages: messages.map((message) => Buffer.from(message).toString("latin1")) })
    }))
  })

  it("refuses itself truncated anywhere, or with any bit flipped, without delivering a message (law)", () => {
    const whole = golden("network-frame")
    const never = (): never => {
      throw new Error("delivered")
    }
    for (let length = 0; length < whole.length; length++) expect(() => readFrame(whole.subarray(0, length), never)).toThrow(FrameError)
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const damaged = Buffer.from(whole)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => readFrame(damaged, never)).toThrow(FrameError)
    }
    expect(() => readFrame(Buffer.concat([whole, Buffer.alloc(1)]), never)).toThrow(FrameError)
  })

  it.each([
    ["another version", (bytes: Buffer) => bytes.writeUInt8(2, 0), "frame version 2, 1 expected"],
    ["an unknown lane", (bytes: Buffer) => bytes.writeUInt8(3, 1), "lane 3"],
    ["too great a count", (bytes: Buffer) => bytes.writeUInt16BE(4, 2), "1 messages more than the frame holds"],
    ["too small a count", (bytes: Buffer) => bytes.writeUInt16BE(2, 2), "7 bytes behind the last message"],
    ["a count of none", (bytes: Buffer) => bytes.writeUInt16BE(0, 2), "20 bytes behind the last message"],
    ["too long a message", (bytes: Buffer) => bytes.writeUInt32BE(0xffffffff, 4), "a message of 4294967295 bytes, 16 are left"],
  ])("refuses %s under a right CRC", (_name, change, reason) => {
    const bytes = golden("network-frame")
    change(bytes)
    bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
    expect(() => readFrame(bytes, () => {})).toThrow(reason)
  })

  it("is at most FRAME_SIZE, and is used again", () => {
    const frame = new Frame()
    let count = 0
    for (; frame.hasRoom(1000); count++) frame.add(Buffer.alloc(1000, count))
    expect(frame.seal(LANE.bulk).length).toBeLessThanOrEqual(FRAME_SIZE)
    expect(frame.messageBytes).toBe(count * 1000)
    expect(count).toBe(65)
    frame.reset()
    expect(frame.isEmpty).toBe(true)
    frame.add(Buffer.from("again"))
    expect(read(frame.seal(LANE.control)).messages).toEqual(["again"])
  })

  it("is as long as one great message needs", () => {
    const message = Buffer.alloc(FRAME_SIZE * 3, 7)
    const bytes = frameOf(LANE.bulk, message)
    expect(bytes.length).toBe(message.length + FRAME_OVERHEAD)
    expect(read(bytes).messages[0]?.length).toBe(message.length)
  })
})

describe("handshake", () => {
  it("has these bytes", () => {
    expect(encodeHandshake(HANDSHAKE).toString("hex")).toBe(golden("network-handshake").toString("hex"))
    expect(readHandshake(golden("network-handshake"), { ...HANDSHAKE, self: 1 })).toEqual(HANDSHAKE)
  })

  it("names what differs", () => {
    const own = { ...HANDSHAKE, self: 1 }
    expect(readHandshake(encodeHandshake({ ...HANDSHAKE, clusterName: "other" }), own)).toBe('cluster name "other", ours is "test"')
    expect(readHandshake(encodeHandshake(HANDSHAKE, 2), own)).toBe("transport version 2, ours is 1")
  })

  it("refuses anything else", () => {
    const whole = encodeHandshake(HANDSHAKE)
    for (let length = 0; length < whole.length; length++) expect(typeof readHandshake(whole.subarray(0, length), HANDSHAKE)).toBe("string")
    const wrong = [-1, 1.5, 2 ** 60].map((self) => encodeHandshake({ ...HANDSHAKE, self }))
    for (const bytes of [Buffer.from("GET / HTTP/1.1"), Buffer.alloc(5000), Buffer.from([0x81, 0xa1, 0x61, 1]), ...wrong]) {
      expect(typeof readHandshake(bytes, HANDSHAKE)).toBe("string")
    }
  })
})
