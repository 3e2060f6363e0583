// What a client says and what it is told: negotiation, requests, answers.
import { describe, expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"
import { AlreadyExistsError, CONSISTENCY, ERROR_CODE, InvalidRequestError } from "../errors.ts"
import { FRAME_FLAG } from "./frame.ts"
import { OPCODE } from "./opcode.ts"
import { ID, METADATA, ONE_ROW, only, setup } from "./testing-server.ts"
import {
  type Answer, batchFrame, errorOf, executeFrame, frameBytes, optionsFrame, prepareFrame, queryFrame, readString, registerFrame,
  segmentBytes, startupFrame,
} from "./testing.ts"

describe("negotiation", () => {
  test.each([1, 2])("version %i is refused in a frame of its own version", (version) => {
    const { connect } = setup()
    const client = connect()
    client.send(Buffer.from([version, 0, 5, OPCODE.options, 0, 0, 0, 0]))
    const answer = only(client.takeAnswers())
    expect(answer).toMatchObject({ version, stream: 5, opcode: OPCODE.error })
    expect(errorOf(answer)).toMatchObject({
      code: ERROR_CODE.protocol,
      message: `Invalid or unsupported protocol version (${version}); supported versions are (3/v3, 4/v4, 5/v5)`,
    })
    expect(client.ended).toBe(true)
  })

  test.each([6, 65, 66, 127])("version %i is refused in the newest version", (version) => {
    const { connect } = setup()
    const client = connect()
    client.send(optionsFrame({ version, stream: 300 }))
    const answer = only(client.takeAnswers())
    expect(answer).toMatchObject({ version: 5, stream: 300, opcode: OPCODE.error })
    expect(errorOf(answer).message).toBe(`Invalid or unsupported protocol version (${version}); supported versions are (3/v3, 4/v4, 5/v5)`)
    expect(client.ended).toBe(true)
  })

  test.each([3, 4, 5])("version %i: OPTIONS, STARTUP, OPTIONS", (version) => {
    const { connect, server } = setup()
    const client = connect()
    client.send(optionsFrame({ version, stream: 7 }))
    const supported = only(client.takeAnswers())
    expect(supported).toMatchObject({ version, stream: 7, opcode: OPCODE.supported })
    const reader = new ByteReader(supported.body)
    const map = Object.fromEntries(
      Array.from({ length: reader.uint16("size") }, () => [readString(reader), Array.from({ length: reader.uint16("n") }, () => readString(reader))]),
    )
    expect(map).toEqual({ CQL_VERSION: ["3.4.7"], COMPRESSION: ["snappy", "lz4"], PROTOCOL_VERSIONS: ["3/v3", "4/v4", "5/v5"] })
    client.send(startupFrame({ cql_version: "3.4.5", DRIVER_NAME: "a driver", DRIVER_VERSION: "1.2" }, { version, stream: 8 }))
    expect(only(client.takeAnswers())).toMatchObject({ version, stream: 8, opcode: OPCODE.ready })
    expect(server.clients()).toMatchObject([{ remote: "127.0.0.1:50000", version, driverName: "a driver", driverVersion: "1.2" }])
    const again = optionsFrame({ version, stream: 9 })
    client.send(version === 5 ? segmentBytes(again) : again)
    const answers = version === 5 ? client.takeSegmentedAnswers() : client.takeAnswers()
    expect(only(answers)).toMatchObject({ version, stream: 9, opcode: OPCODE.supported })
  })

  test.each([
    [queryFrame("SELECT"), "Unexpected message QUERY, expecting STARTUP or OPTIONS"],
    [startupFrame({}), "Missing value CQL_VERSION in STARTUP message"],
    [startupFrame({ CQL_VERSION: "2.0.0" }), "CQL version 2.0.0 is not supported by the binary protocol (supported version are >= 3.0.0)"],
    [startupFrame({ CQL_VERSION: "new" }), "Invalid version value: new"],
    [startupFrame({ CQL_VERSION: "3.0.0", COMPRESSION: "snappy" }, { version: 5 }), "Snappy compression is not supported in protocol V5"],
    [startupFrame({ CQL_VERSION: "3.0.0", COMPRESSION: "zip" }), "Unknown compression algorithm: zip"],
  ])("a wrong first message is a protocol error, and the client may try again %#", (frame, message) => {
    const { connect } = setup()
    const client = connect()
    client.send(frame)
    expect(errorOf(only(client.takeAnswers()))).toMatchObject({ code: ERROR_CODE.protocol, message })
    client.send(startupFrame())
    expect(only(client.takeAnswers()).opcode).toBe(OPCODE.ready)
  })

  test("a second STARTUP is a protocol error", () => {
    const client = setup().start()
    client.send(startupFrame())
    expect(errorOf(only(client.takeAnswers())).message).toBe("Unexpected message STARTUP, the connection is already initialized")
  })
})

describe("requests", () => {
  test.each([3, 4, 5])("QUERY of version %i brings every option", (version) => {
    const { handler, start } = setup()
    const client = start(version)
    const parameters = {
      consistency: CONSISTENCY.quorum, values: [Buffer.from("x"), null, Buffer.alloc(0)], skipMetadata: true, pageSize: 100, pagingState: Buffer.from("page"),
      serialConsistency: CONSISTENCY.localSerial, timestamp: [-2, 0xfffffffe] as const, ...(version === 5 ? { keyspace: "ks", nowSeconds: 0xffffffff } : {}),
    }
    const frame = queryFrame("SELECT é", parameters, { version, stream: -7 })
    client.send(version === 5 ? segmentBytes(frame) : frame)
    const answers = version === 5 ? client.takeSegmentedAnswers() : client.takeAnswers()
    expect(only(answers)).toMatchObject({ version, stream: -7, opcode: OPCODE.result })
    expect(handler.calls).toMatchObject([{
      kind: "query", text: "SELECT é", options: {
        consistency: CONSISTENCY.quorum, serialConsistency: CONSISTENCY.localSerial, values: ["x", null, ""], names: null, skipMetadata: true, pageSize: 100,
        pagingState: Buffer.from("page"), hasTimestamp: true, timestampHigh: -2, timestampLow: 0xfffffffe,
        keyspace: version === 5 ? "ks" : null, nowSeconds: version === 5 ? 0xffffffff : -1,
      },
    }])
  })

  test("options do not leak into the next request", () => {
    const { handler, start } = setup()
    const client = start()
    client.send(
      queryFrame("a", { values: [Buffer.from("x")], names: ["n"], skipMetadata: true, pageSize: 5, pagingState: ID, serialConsistency: 9, timestamp: [1, 2] }),
      queryFrame("b"),
    )
    expect(handler.calls[0]?.options).toMatchObject({ names: ["n"], values: ["x"] })
    expect(handler.calls[1]?.options).toMatchObject({
      names: null, values: [], skipMetadata: false, pageSize: 0, pagingState: null, serialConsistency: CONSISTENCY.serial, hasTimestamp: false, keyspace: null, nowSeconds: -1,
    })
  })

  test("unset values: v4 has them, to v3 they are null", () => {
    const { handler, start } = setup()
    start(4).send(queryFrame("a", { values: [undefined] }, { version: 4 }))
    start(3).send(queryFrame("a", { values: [undefined] }, { version: 3 }))
    expect(handler.calls.map((call) => call.options["values"])).toEqual([["UNSET"], [null]])
  })

  test.each([4, 5])("EXECUTE and PREPARE of version %i", (version) => {
    const { handler, start } = setup()
    const client = start(version)
    const frames = Buffer.concat([
      prepareFrame("INSERT", version === 5 ? "other" : null, { version }),
      executeFrame(ID, METADATA.id, { values: [Buffer.from("v")] }, { version }),
      executeFrame(Buffer.alloc(16), METADATA.id, {}, { version }),
      executeFrame(ID, METADATA.id, {}, { version }),
      executeFrame(Buffer.from("odd"), METADATA.id, {}, { version }),
    ])
    client.send(version === 5 ? segmentBytes(frames) : frames)
    const resultMetadataId = version === 5 ? METADATA.id.toString("latin1") : null
    expect(handler.calls).toMatchObject([
      { kind: "prepare", text: "INSERT", options: { keyspace: version === 5 ? "other" : null } },
      { kind: "execute", text: "0123456789abcdef", options: { resultMetadataId, values: ["v"] } },
      { kind: "execute", text: "\0".repeat(16) },
      { kind: "execute", text: "0123456789abcdef", options: { values: [] } },
      { kind: "execute", text: "odd" },
    ])
  })

  test("BATCH", () => {
    const { handler, start } = setup()
    const client = start()
    client.send(batchFrame(1, [{ query: "INSERT", values: [Buffer.from("x"), null] }, { query: ID, values: [] }], { consistency: 6, timestamp: [0, 9] }))
    client.send(batchFrame(0, [], { consistency: 6 }))
    expect(handler.calls).toMatchObject([
      {
        kind: "batch", text: "UNLOGGED", options: {
          consistency: 6, hasTimestamp: true, timestampLow: 9,
          statements: [{ query: "INSERT", id: null, values: ["x", null] }, { query: null, id: "0123456789abcdef", values: [] }],
        },
      },
      { text: "LOGGED", options: { statements: [], hasTimestamp: false } },
    ])
  })

  test.each([
    [queryFrame("x", { values: [Buffer.alloc(9)] }).subarray(0, -1), "Not enough bytes to read a value preceded by its 4 bytes length"],
    [queryFrame("x", { consistency: 11 }), "Unknown code 11 for a consistency level"],
    [queryFrame("x", { timestamp: [-0x80000000, 0] }), "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807] (got -9223372036854775808)"],
    [batchFrame(3, []), "Invalid BATCH message type 3"],
    [registerFrame(["NONSENSE"]), "Invalid value 'NONSENSE' for Type"],
    [frameBytes(OPCODE.query, Buffer.from("00000001ff000100", "hex")), "Cannot decode string as UTF8: 'ff'"],
    [frameBytes(OPCODE.authResponse, Buffer.from("00000000", "hex")), "Unexpected message AUTH_RESPONSE, the connection needs no authentication"],
    [frameBytes(OPCODE.query, Buffer.alloc(9), { flags: FRAME_FLAG.compressed }), "Received a compressed frame, but no compression was negotiated"],
  ])("a broken request is a protocol error and the next one is served %#", (broken, message) => {
    const { handler, start } = setup()
    const client = start()
    const frame = Buffer.from(broken)
    frame.writeInt32BE(frame.length - 9, 5)
    client.send(frame, queryFrame("next", {}, { stream: 2 }))
    const answers = client.takeAnswers()
    expect(answers.map((answer) => answer.stream)).toEqual([1, 2])
    expect(errorOf(answers[0] as Answer)).toMatchObject({ code: ERROR_CODE.protocol, message })
    expect(handler.calls.map((call) => call.text)).toEqual(["next"])
  })

  test.each([
    [frameBytes(0x11, Buffer.alloc(0)), "Unknown opcode 17"],
    [frameBytes(OPCODE.result, Buffer.alloc(0)), "Wrong protocol direction (expected RESPONSE, got REQUEST) for opcode 8 (RESULT)"],
    [frameBytes(OPCODE.query, Buffer.alloc(0), { version: 0x84 }), "Wrong protocol direction (expected REQUEST, got RESPONSE) for opcode 7 (QUERY)"],
    [queryFrame("x", {}, { version: 3 }), "Invalid message version. Got 3/v3 but previous messages on this connection had version 4/v4"],
    [Buffer.from("0400000107ffffffff", "hex"), "Invalid value for envelope header body length field: -1"],
    [Buffer.from("GET / HTTP/1.1\r\n\r\n"), "Invalid or unsupported protocol version (71); supported versions are (3/v3, 4/v4, 5/v5)"],
  ])("what cannot be trusted ends the connection, and no other %#", (garbage, message) => {
    const { handler, start } = setup()
    const client = start()
    const other = start()
    client.send(queryFrame("first"), garbage, queryFrame("never"))
    const answers = client.takeAnswers()
    expect(errorOf(answers[1] as Answer)).toMatchObject({ code: ERROR_CODE.protocol, message })
    expect(client.ended).toBe(true)
    client.send(queryFrame("never"))
    other.send(queryFrame("other"))
    expect(only(other.takeAnswers()).opcode).toBe(OPCODE.result)
    expect(handler.calls.map((call) => call.text)).toEqual(["first", "other"])
  })

  test("a frame over the maximum size is read over and refused", () => {
    const { handler, start } = setup({ maxFrameSize: 1000 })
    const client = start()
    const large = queryFrame("x".repeat(5000), {}, { stream: 3 })
    client.send(queryFrame("a"), large.subarray(0, 6))
    client.send(large.subarray(6, 2000))
    client.send(large.subarray(2000), queryFrame("b", {}, { stream: 4 }))
    const answers = client.takeAnswers()
    expect(answers.map((answer) => answer.stream)).toEqual([1, 3, 4])
    expect(errorOf(answers[1] as Answer)).toMatchObject({
      code: ERROR_CODE.invalid, message: `Request is too big: length ${large.length} exceeds maximum allowed length 1000.`,
    })
    expect(handler.calls.map((call) => call.text)).toEqual(["a", "b"])
  })

  test("frames split at every byte", () => {
    const { handler, start } = setup()
    const client = start()
    client.sendEachByte(Buffer.concat([queryFrame("a"), executeFrame(ID, ID, { values: [Buffer.from("value")] }, { stream: 2 }), optionsFrame({ stream: 3 })]))
    expect(client.takeAnswers().map((answer) => [answer.stream, answer.opcode])).toEqual([[1, OPCODE.result], [2, OPCODE.result], [3, OPCODE.supported]])
    expect(handler.calls.map((call) => call.options["values"])).toEqual([[], ["value"]])
  })

  test("three frames split into two reads at each place", () => {
    const frames = Buffer.concat([queryFrame("a"), queryFrame("bb", { values: [ID] }, { stream: 2 }), queryFrame("ccc", {}, { stream: 3 })])
    const { handler, start } = setup()
    for (let at = 0; at <= frames.length; at++) {
      const client = start()
      handler.calls = []
      client.send(frames.subarray(0, at))
      client.send(frames.subarray(at))
      expect(handler.calls.map((call) => call.text)).toEqual(["a", "bb", "ccc"])
      expect(client.takeAnswers()).toHaveLength(3)
    }
  })
})

describe("answers", () => {
  test("one write for all answers of a read, after beforeWrite", () => {
    const { start, trace, turn } = setup()
    const client = start()
    trace.length = 0
    client.send(queryFrame("a"), queryFrame("b"), queryFrame("c"))
    expect(client.writes).toHaveLength(1)
    expect(trace).toEqual(["beforeWrite"])
    expect(turn).toHaveLength(0)
    expect(client.takeAnswers()).toHaveLength(3)
  })

  test("answers wait for the end of the turn when something must be written out first, and share that", () => {
    let unwritten = false
    const written: string[] = []
    const { start, endTurn, turn } = setup({
      hasUnwritten: () => unwritten,
      beforeWrite: () => {
        if (unwritten) written.push("log")
        unwritten = false
      },
    })
    const [first, second, third] = [start(), start(), start()]
    unwritten = true
    first.send(queryFrame("a"))
    second.send(queryFrame("b"))
    expect([first.writes.length, second.writes.length, turn.length, written.length]).toEqual([0, 0, 1, 0])
    endTurn()
    expect(written).toEqual(["log"])
    expect([first.takeAnswers().length, second.takeAnswers().length]).toEqual([1, 1])
    third.send(queryFrame("c"))
    expect(third.writes).toHaveLength(1)
    expect(turn).toHaveLength(0)
  })

  test("when beforeWrite fails no answer leaves, and the connection ends; a bug is not hidden", () => {
    let failure: Error | null = null
    const { start } = setup({
      beforeWrite: () => {
        if (failure !== null) throw failure
      },
    })
    const client = start()
    failure = new Error("commit log failed")
    client.send(queryFrame("a"))
    expect([client.writes.length, client.destroyed]).toEqual([0, true])
    failure = null
    const other = start()
    failure = new TypeError("a bug")
    expect(() => other.send(queryFrame("a"))).toThrow("a bug")
  })

  test("the handler is told where a read begins and ends, also when a frame in it is broken", () => {
    const { handler, start } = setup()
    const trace: string[] = []
    Object.assign(handler, { readBegins: () => trace.push("begins"), readEnds: () => trace.push("ends") })
    handler.answer = ({ text, reply }) => {
      trace.push(text)
      reply.void()
    }
    const client = start()
    trace.length = 0
    client.send(queryFrame("a"), queryFrame("b"))
    client.send(queryFrame("c"), Buffer.from([0x42, 0, 0, 0, 0, 0, 0, 0, 0]))
    expect(trace).toEqual(["begins", "a", "b", "ends", "begins", "c", "ends"])
  })

  test("later answers: any order, one write at the end of the turn", () => {
    const { handler, start, endTurn, turn } = setup()
    handler.answer = () => {}
    const client = start()
    client.send(...[1, 2, 3].map((stream) => queryFrame("q" + stream, {}, { stream })))
    expect(client.writes).toHaveLength(0)
    for (const index of [2, 0, 1]) handler.calls[index]?.reply.setKeyspace("ks" + index)
    expect(client.writes).toHaveLength(0)
    expect(turn).toHaveLength(1)
    endTurn()
    expect(client.writes).toHaveLength(1)
    const answers = client.takeAnswers()
    expect(answers.map((answer) => answer.stream)).toEqual([3, 1, 2])
    expect(answers.map((answer) => answer.body.toString("latin1", 6))).toEqual(["ks2", "ks0", "ks1"])
  })

  test("an answer to a connection that has gone is dropped", () => {
    const { handler, start, endTurn, server } = setup()
    handler.answer = () => {}
    const client = start()
    client.send(queryFrame("a"))
    client.disconnect()
    expect(server.connectionCount).toBe(0)
    handler.calls[0]?.reply.void()
    endTurn()
    expect(client.writes).toHaveLength(0)
  })

  test("answering twice is a bug", () => {
    const { handler, start } = setup()
    start().send(queryFrame("a"))
    expect(() => handler.calls[0]?.reply.void()).toThrow("a request is answered once")
  })

  test("a RequestError that is thrown is the answer; another error is a bug", () => {
    const { handler, start } = setup()
    handler.answer = () => {
      throw new InvalidRequestError("no such thing")
    }
    const client = start()
    client.send(queryFrame("a"))
    expect(errorOf(only(client.takeAnswers()))).toMatchObject({ code: ERROR_CODE.invalid, message: "no such thing" })
    handler.answer = () => {
      throw new TypeError("a bug")
    }
    expect(() => client.send(queryFrame("a"))).toThrow("a bug")
  })

  test("an error's message is cut to what a [string] holds", () => {
    const { handler, start } = setup()
    handler.answer = (call) => call.reply.error(new InvalidRequestError("é".repeat(40_000)))
    const client = start()
    client.send(queryFrame("a"))
    expect(errorOf(only(client.takeAnswers())).message).toMatch(/^é{20000,}$/)
  })

  test("tracing id, then warnings, then the body; v3 has no warnings", () => {
    const { handler, start } = setup()
    handler.answer = ({ reply }) => {
      expect(reply.traced).toBe(true)
      reply.tracingId = ID
      reply.warnings = ["w1", "w2"]
      reply.void()
    }
    for (const version of [3, 4]) {
      const client = start(version)
      client.send(queryFrame("a", {}, { version, flags: FRAME_FLAG.tracing }))
      const answer = only(client.takeAnswers())
      const warnings = version === 3 ? "" : "0002" + "00027731" + "00027732"
      expect(answer.flags).toBe(version === 3 ? FRAME_FLAG.tracing : FRAME_FLAG.tracing | FRAME_FLAG.warning)
      expect(answer.body.toString("hex")).toBe(ID.toString("hex") + warnings + "00000001")
    }
  })

  test("a custom payload is read over; v3 must not send one", () => {
    const payload = Buffer.from("0001" + "00016b" + "0000000176", "hex")
    const body = Buffer.concat([payload, queryFrame("a").subarray(9)])
    const { handler, start } = setup()
    start(4).send(frameBytes(OPCODE.query, body, { version: 4, flags: FRAME_FLAG.customPayload }))
    expect(handler.calls.map((call) => call.text)).toEqual(["a"])
    const client = start(3)
    client.send(frameBytes(OPCODE.query, body, { version: 3, flags: FRAME_FLAG.customPayload }))
    expect(errorOf(only(client.takeAnswers())).message).toBe("Must not send frame with CUSTOM_PAYLOAD flag for native protocol version < 4")
  })

  test("NO_METADATA only when the client asked and the metadata are those it knows", () => {
    const { handler, start } = setup()
    const columns = "00026b73" + "000174" + "000161" + "0009"
    const cases: [asked: boolean, skip: boolean, changed: boolean, expected: string][] = [
      [false, true, false, "00000001" + "00000001" + columns],
      [true, false, false, "00000001" + "00000001" + columns],
      [true, true, false, "00000004" + "00000001"],
      [true, true, true, "00000009" + "00000001" + "0010" + METADATA.id.toString("hex") + columns],
    ]
    const client = start(5)
    for (const [asked, skip, changed, expected] of cases) {
      handler.answer = ({ reply }) => reply.rows(METADATA, skip, changed, null, 1, ONE_ROW)
      client.send(segmentBytes(executeFrame(ID, METADATA.id, { skipMetadata: asked }, { version: 5 })))
      expect(only(client.takeSegmentedAnswers()).body.toString("hex")).toBe("00000002" + expected + "00000001" + ONE_ROW.toString("hex"))
    }
  })

  test("a large answer grows the buffer and goes out early", () => {
    const { handler, start } = setup()
    const rows = Buffer.alloc(300_000, 7)
    handler.answer = ({ reply }) => reply.rows(METADATA, false, false, null, 1, rows)
    const client = start()
    client.send(queryFrame("a"), queryFrame("b", {}, { stream: 2 }))
    expect(client.writes).toHaveLength(2)
    const answers = client.takeAnswers()
    expect(answers.map((answer) => answer.body.subarray(-rows.length).equals(rows))).toEqual([true, true])
  })

  test("AlreadyExists carries its names", () => {
    const { handler, start } = setup()
    handler.answer = ({ reply }) => reply.error(new AlreadyExistsError("ks", "t", "exists"))
    const client = start()
    client.send(queryFrame("a"))
    const { code, rest } = errorOf(only(client.takeAnswers()))
    expect([code, readString(rest), readString(rest), rest.remaining]).toEqual([ERROR_CODE.alreadyExists, "ks", "t", 0])
  })
})
