// How bytes flow: compression, segments, back pressure, events, shutdown.
import { describe, expect, test } from "vitest"
import { Buffer, snappyCompress } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"
import { ERROR_CODE } from "../errors.ts"
import { FRAME_FLAG } from "./frame.ts"
import { OPCODE } from "./opcode.ts"
import { METADATA, only, setup } from "./testing-server.ts"
import {
  type Answer, errorOf, frameBytes, openSegments, optionsFrame, parseFrames, queryFrame, readString, registerFrame, segmentBytes, startupFrame,
} from "./testing.ts"

describe("compression", () => {
  const text = "SELECT " + "x".repeat(3000)

  test.each([[3, "lz4"], [4, "lz4"], [3, "snappy"], [4, "snappy"]] as const)("frames of version %i, %s", (version, compress) => {
    const { handler, start } = setup()
    handler.answer = ({ reply }) => reply.setKeyspace("k".repeat(2000))
    const client = start(version, { CQL_VERSION: "3.0.0", COMPRESSION: compress.toUpperCase() })
    client.send(queryFrame(text, {}, { version, compress }), queryFrame(text, {}, { version, stream: 2 }))
    expect(handler.calls.map((call) => call.text)).toEqual([text, text])
    const bytes = client.takeBytes()
    expect(bytes.length).toBeLessThan(300)
    expect(parseFrames(bytes, compress).map((answer) => [answer.stream, answer.flags, answer.body.length])).toEqual([[1, 1, 2006], [2, 1, 2006]])
  })

  test.each([
    ["a length over the maximum", Buffer.from("ffffffff0f00", "hex")],
    ["no Snappy", Buffer.from("10ffffffff", "hex")],
    ["cut off", snappyCompress(Buffer.alloc(1000, "abcdefg")).subarray(0, 6)],
  ])("a damaged Snappy body: %s", (_name, body) => {
    const { start } = setup()
    const client = start(4, { CQL_VERSION: "3.0.0", COMPRESSION: "snappy" })
    client.send(frameBytes(OPCODE.query, body, { flags: FRAME_FLAG.compressed }), optionsFrame({ stream: 2 }))
    const answers = client.takeAnswers()
    expect(errorOf(answers[0] as Answer)).toMatchObject({ code: ERROR_CODE.protocol, message: `Cannot decompress a Snappy block of ${body.length} bytes into at most 16777216` })
    expect(answers[1]?.opcode).toBe(OPCODE.supported)
  })

  test("an answer that does not shrink is sent as it is", () => {
    const { handler, start } = setup()
    const noise = Buffer.from(Array.from({ length: 700 }, (_, i) => (i * i * 7 + (i >> 3) * 13) & 0xff))
    handler.answer = ({ reply }) => reply.rows(METADATA, false, false, null, 1, noise.subarray(0, 400))
    const client = start(4, { CQL_VERSION: "3.0.0", COMPRESSION: "lz4" })
    client.send(queryFrame("a"))
    expect(only(client.takeAnswers()).flags).toBe(0)
  })

  test.each([
    ["not enough for a length", Buffer.from("0000", "hex"), "Not enough bytes to read the uncompressed length of a frame"],
    ["a length over the maximum", Buffer.from("7fffffff00", "hex"), "Request is too big: length 2147483647 exceeds maximum allowed length 16777216."],
    ["more than LZ4 can hold", Buffer.from("00ffffff1f41010050", "hex"), "Cannot decompress an LZ4 block of 5 bytes into 16777215"],
    ["no LZ4", Buffer.from("00000010ffffffff", "hex"), "Cannot decompress an LZ4 block of 4 bytes into 16"],
  ])("a damaged compressed body: %s", (_name, body, message) => {
    const { start } = setup()
    const client = start(4, { CQL_VERSION: "3.0.0", COMPRESSION: "lz4" })
    client.send(frameBytes(OPCODE.query, body, { flags: FRAME_FLAG.compressed }), optionsFrame({ stream: 2 }))
    const answers = client.takeAnswers()
    expect(errorOf(answers[0] as Answer)).toMatchObject({ code: ERROR_CODE.protocol, message })
    expect(answers[1]?.opcode).toBe(OPCODE.supported)
  })
})

describe("segments of v5", () => {
  const v5 = { version: 5 }
  const both = [{ compressed: false, map: { CQL_VERSION: "3.0.0" } }, { compressed: true, map: { CQL_VERSION: "3.0.0", COMPRESSION: "lz4" } }]

  test.each(both)("whole envelopes, envelopes over several segments, split at odd places %#", ({ compressed, map }) => {
    const { handler, start } = setup()
    const large = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 0x7f)).toString("latin1")
    handler.answer = ({ reply, text }) => (text.length > 10 ? reply.rows(METADATA, false, false, null, 1, Buffer.from(text)) : reply.void())
    const client = start(5, map)
    const envelope = queryFrame(large, {}, { ...v5, stream: 3 })
    const parts = [envelope.subarray(0, 5), envelope.subarray(5, 120_000), envelope.subarray(120_000, 250_000), envelope.subarray(250_000)]
    const bytes = Buffer.concat([
      segmentBytes(Buffer.concat([queryFrame("a", {}, { ...v5, stream: 1 }), queryFrame("b", {}, { ...v5, stream: 2 })]), { compressed }),
      ...parts.map((part) => segmentBytes(part, { compressed, selfContained: false })),
      segmentBytes(queryFrame("c", {}, { ...v5, stream: 4 }), { compressed }),
    ])
    for (let at = 0; at < bytes.length; at += 7919) client.send(bytes.subarray(at, at + 7919))
    expect(handler.calls.map((call) => call.text)).toEqual(["a", "b", large, "c"])
    const answers = client.takeSegmentedAnswers(compressed)
    expect(answers.map((answer) => answer.stream)).toEqual([1, 2, 3, 4])
    expect(answers[2]?.body.subarray(-large.length).toString()).toBe(large)
  })

  test.each(both)("each byte on its own %#", ({ compressed, map }) => {
    const { handler, start } = setup()
    const client = start(5, map)
    client.sendEachByte(Buffer.concat(["a", "b"].map((text) => segmentBytes(queryFrame(text, {}, v5), { compressed }))))
    expect(handler.calls.map((call) => call.text)).toEqual(["a", "b"])
  })

  test.each(both)("any damaged byte ends the connection with a protocol error %#", ({ compressed, map }) => {
    const { handler, start } = setup()
    const good = segmentBytes(queryFrame("SELECT " + "x".repeat(600), {}, v5), { compressed })
    for (let at = 0; at < good.length; at++) {
      const client = start(5, map)
      handler.calls = []
      const bad = Buffer.from(good)
      bad[at] = (bad[at] as number) ^ 0x10
      client.send(bad)
      expect(handler.calls).toEqual([])
      expect(client.ended).toBe(true)
      const { code, message } = errorOf(only(client.takeSegmentedAnswers(compressed)))
      expect(code).toBe(ERROR_CODE.protocol)
      expect(message).toContain("unrecoverable CRC mismatch detected in frame")
    }
  })

  test.each([
    ["an envelope cut off in a self-contained segment", [segmentBytes(queryFrame("abc", {}, v5).subarray(0, -1))], "A self-contained frame ends within an envelope"],
    [
      "an envelope interrupted", [segmentBytes(queryFrame("abc", {}, v5).subarray(0, 4), { selfContained: false }), segmentBytes(queryFrame("b", {}, v5))],
      "A self-contained frame interrupts an envelope that spans several",
    ],
    [
      "more than an envelope", [segmentBytes(Buffer.concat([queryFrame("abc", {}, v5), Buffer.alloc(1)]), { selfContained: false })],
      "More bytes than the envelope has that spans these frames",
    ],
  ])("%s", (_name, segments, message) => {
    const { start } = setup()
    const client = start(5)
    client.send(...segments)
    expect(errorOf(only(client.takeSegmentedAnswers()))).toMatchObject({ code: ERROR_CODE.protocol, message })
    expect(client.ended).toBe(true)
  })

  test("a too large envelope is read over, in one segment or several", () => {
    const { handler, start } = setup({ maxFrameSize: 1000 })
    const client = start(5)
    const large = queryFrame("x".repeat(2000), {}, { ...v5, stream: 2 })
    client.send(
      segmentBytes(Buffer.concat([large, queryFrame("a", {}, v5)])),
      segmentBytes(large.subarray(0, 1500), { selfContained: false }), segmentBytes(large.subarray(1500), { selfContained: false }),
      segmentBytes(queryFrame("b", {}, v5)),
    )
    expect(handler.calls.map((call) => call.text)).toEqual(["a", "b"])
    expect(client.takeSegmentedAnswers().map((answer) => [answer.stream, answer.opcode])).toEqual([
      [2, OPCODE.error], [1, OPCODE.result], [2, OPCODE.error], [1, OPCODE.result],
    ])
  })

  test("requests may follow STARTUP in the same read", () => {
    const { handler, connect } = setup()
    const client = connect()
    client.send(startupFrame({ CQL_VERSION: "3.0.0" }, v5), segmentBytes(queryFrame("a", {}, v5)))
    expect(handler.calls).toHaveLength(1)
    const [ready, segment] = client.writes
    expect(only(parseFrames(ready as Buffer)).opcode).toBe(OPCODE.ready)
    expect(only(parseFrames(openSegments(segment as Buffer, false))).opcode).toBe(OPCODE.result)
  })
})

describe("back pressure", () => {
  test("reading stops while a client does not read, also within one read", () => {
    const { handler, start } = setup()
    handler.answer = ({ reply }) => reply.rows(METADATA, false, false, null, 1, Buffer.alloc(300_000))
    const client = start()
    client.writable = false
    client.send(...Array.from({ length: 50 }, (_, i) => queryFrame("q" + i)))
    expect(handler.calls).toHaveLength(1)
    expect(client.paused).toBe(true)
    client.send(queryFrame("late"))
    expect(handler.calls).toHaveLength(1)
    client.read()
    expect(handler.calls).toHaveLength(51)
    expect(handler.calls.map((call) => call.text)).toEqual([...Array.from({ length: 50 }, (_, i) => "q" + i), "late"])
    expect(client.paused).toBe(false)
  })

  test("too many requests in flight: no more are read until half are answered", () => {
    const { handler, start, endTurn } = setup({ maxInFlightRequests: 10 })
    handler.answer = () => {}
    const client = start()
    client.send(...Array.from({ length: 40 }, (_, i) => queryFrame("q" + i)))
    expect(handler.calls).toHaveLength(11)
    expect(client.paused).toBe(true)
    for (let i = 0; i < 5; i++) handler.calls[i]?.reply.void()
    endTurn()
    expect(handler.calls).toHaveLength(11)
    handler.calls[5]?.reply.void()
    endTurn()
    expect(handler.calls).toHaveLength(17)
    for (let answered = 6; answered < handler.calls.length; ) {
      handler.calls[answered++]?.reply.void()
      endTurn()
    }
    expect(handler.calls).toHaveLength(40)
    expect(client.paused).toBe(false)
    expect(client.takeAnswers()).toHaveLength(40)
  })

  test("too many bytes in flight, within one v5 segment", () => {
    const { handler, start, endTurn } = setup({ maxInFlightBytes: 2000 })
    handler.answer = () => {}
    const client = start(5)
    const texts = Array.from({ length: 10 }, (_, i) => "q" + i + "x".repeat(900))
    client.send(segmentBytes(Buffer.concat(texts.map((text) => queryFrame(text, {}, { version: 5 })))), segmentBytes(queryFrame("end", {}, { version: 5 })))
    expect(handler.calls).toHaveLength(3)
    expect(client.paused).toBe(true)
    for (let answered = 0; answered < handler.calls.length; ) {
      handler.calls[answered++]?.reply.void()
      endTurn()
    }
    expect(handler.calls.map((call) => call.text)).toEqual([...texts, "end"])
    expect(client.paused).toBe(false)
  })
})

describe("events and shutdown", () => {
  test("events go to those who registered for their type, at the end of the turn", () => {
    const { start, server, endTurn } = setup()
    const [schema, all, none] = [start(), start(3), start()]
    schema.send(registerFrame(["SCHEMA_CHANGE"]))
    all.send(registerFrame(["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"], { version: 3 }))
    expect(only(schema.takeAnswers()).opcode).toBe(OPCODE.ready)
    all.takeBytes()
    server.broadcast({ change: "CREATED", target: "TABLE", keyspace: "ks", name: "t" })
    server.broadcast({ kind: "status", change: "UP", address: "127.0.0.2", port: 9042 })
    server.broadcast({ kind: "topology", change: "NEW_NODE", address: "::1", port: 9043 })
    expect(schema.writes).toHaveLength(0)
    endTurn()
    expect(none.writes).toHaveLength(0)
    expect(only(schema.takeAnswers())).toMatchObject({ version: 4, stream: -1, opcode: OPCODE.event })
    expect(all.writes).toHaveLength(1)
    expect(all.takeAnswers().map((answer) => readString(new ByteReader(answer.body)))).toEqual(["SCHEMA_CHANGE", "STATUS_CHANGE", "TOPOLOGY_CHANGE"])
  })

  test("drain answers what is in flight, then ends", async () => {
    const { handler, start, server, endTurn, connect } = setup()
    handler.answer = () => {}
    const [busy, idle] = [start(), start()]
    busy.send(queryFrame("a"))
    let drained = false
    const done = Promise.all([server.drain(), server.drain()]).then(() => (drained = true))
    expect([busy.ended, idle.ended]).toEqual([false, true])
    busy.send(queryFrame("ignored"))
    handler.calls[0]?.reply.void()
    endTurn()
    await done
    expect(drained).toBe(true)
    expect(busy.ended).toBe(true)
    expect(busy.takeAnswers()).toHaveLength(1)
    expect(handler.calls).toHaveLength(1)
    expect(connect().destroyed).toBe(true)
  })

  test("clients() shows what system_views.clients needs", () => {
    const { start, server, connect } = setup()
    connect()
    const client = start(4, { CQL_VERSION: "3.0.0", DRIVER_NAME: "d", DRIVER_VERSION: "9", APPLICATION_NAME: "app" })
    client.send(queryFrame("a"), queryFrame("b"))
    expect(server.connectionCount).toBe(2)
    expect(server.clients()).toMatchObject([{ remote: "127.0.0.1:50000", version: 4, driverName: "d", driverVersion: "9", requestCount: 2, keyspace: null }])
    expect(server.clients()[0]?.options.get("APPLICATION_NAME")).toBe("app")
    client.disconnect()
    expect(server.clients()).toEqual([])
  })
})
