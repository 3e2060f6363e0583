// One suite for client sockets of the operating system and those in memory.
import * as net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import type { ByteConnection, ByteHandlers, ByteListener } from "./byte-listener.ts"
import { RealByteListener } from "./real/real-byte-listener.ts"
import { Scheduler } from "./simulated/scheduler.ts"
import { SimulatedByteHub } from "./simulated/simulated-byte-listener.ts"
import { SimulatedClock } from "./simulated/simulated-clock.ts"
import { SimulatedRandom } from "./simulated/simulated-random.ts"

/** What one side of a connection has seen. */
class Side implements ByteHandlers {
  connection: ByteConnection | null = null
  received = ""
  receivedBytes = 0
  drains = 0
  closes = 0
  callsAfterClose = 0
  onData: ((text: string) => void) | null = null

  data(bytes: Buffer): void {
    if (this.closes > 0) this.callsAfterClose++
    this.receivedBytes += bytes.length
    const text = bytes.toString("latin1")
    if (this.receivedBytes < 100_000) this.received += text
    this.onData?.(text)
  }
  drain(): void {
    if (this.closes > 0) this.callsAfterClose++
    this.drains++
  }
  close(): void {
    this.closes++
  }
  write(text: string): boolean {
    return this.connection!.write(Buffer.from(text, "latin1"))
  }
}

interface Subject {
  readonly listener: ByteListener
  another(): ByteListener
  connect(port: number): Side
  until(condition: () => boolean): Promise<void>
}

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

function real(): Subject {
  const create = (): RealByteListener => {
    const listener = new RealByteListener()
    stops.push(() => listener.stop())
    return listener
  }
  return {
    listener: create(),
    another: create,
    connect(port) {
      const side = new Side()
      const socket = net.connect(port, "127.0.0.1")
      stops.push(() => socket.destroy())
      side.connection = {
        remote: "", write: (bytes) => socket.write(bytes), pause: () => socket.pause(), resume: () => socket.resume(),
        end: () => socket.end(), destroy: () => socket.destroy(),
      }
      socket.on("data", (bytes) => side.data(bytes))
      socket.on("error", () => {})
      socket.on("close", () => side.close())
      return side
    },
    async until(condition) {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
    },
  }
}

function simulated(): Subject & { readonly hub: SimulatedByteHub } {
  const scheduler = new Scheduler()
  const hub = new SimulatedByteHub({ scheduler, random: new SimulatedRandom(3) })
  return {
    hub,
    listener: hub.listener(),
    another: () => hub.listener(),
    connect(port) {
      const side = new Side()
      side.connection = hub.connect("127.0.0.1", port, side)
      return side
    },
    until: (condition) => scheduler.run(condition),
  }
}

async function connected(create: () => Subject): Promise<Subject & { readonly server: Side; readonly client: Side; readonly port: number }> {
  const subject = create()
  const sides: Side[] = []
  const { port } = await subject.listener.listen("127.0.0.1", 0, (connection) => {
    const side = new Side()
    side.connection = connection
    sides.push(side)
    return side
  })
  const client = subject.connect(port)
  await subject.until(() => sides.length === 1)
  return { ...subject, server: sides[0]!, client, port }
}

describe.each([["real", real], ["simulated", simulated]] as const)("%s byte listener", (_name, create) => {
  it("carries bytes both ways, in order", async () => {
    const { server, client, until } = await connected(create)
    expect(server.connection!.remote).toMatch(/^[0-9.]+:\d+$/)
    for (const text of ["one ", "two ", "three"]) expect(client.write(text)).toBe(true)
    await until(() => server.received.length === 13)
    expect(server.received).toBe("one two three")
    server.write("")
    server.write("an")
    server.write("swer")
    await until(() => client.received.length === 6)
    expect(client.received).toBe("answer")
  })

  it("is told to wait when the peer does not read, and told when it may go on", async () => {
    const { server, client, until } = await connected(create)
    client.connection!.pause()
    const piece = Buffer.alloc(64 * 1024, "x")
    let written = 0
    let goesOn = true
    while (goesOn && written < 200 * 1024 * 1024) {
      goesOn = server.connection!.write(Buffer.from(piece))
      written += piece.length
    }
    expect(goesOn).toBe(false)
    expect(server.drains).toBe(0)
    client.connection!.resume()
    await until(() => server.drains === 1 && client.receivedBytes === written)
  })

  it("stops and restarts data", async () => {
    const { server, client, until } = await connected(create)
    server.onData = () => server.connection!.pause()
    client.write("a")
    await until(() => server.received === "a")
    client.write("bcd")
    server.write("still writes")
    await until(() => client.received === "still writes")
    client.connection!.end()
    expect(server.received).toBe("a")
    expect(server.closes).toBe(0)
    server.onData = null
    server.connection!.resume()
    await until(() => server.closes === 1)
    expect(server.received).toBe("abcd")
  })

  it("ends after what was written has been sent", async () => {
    const { server, client, until } = await connected(create)
    const size = 3_000_000
    client.write("unread".repeat(1000))
    server.connection!.write(Buffer.alloc(size))
    server.connection!.end()
    server.connection!.end()
    server.write("too late")
    await until(() => client.closes === 1 && server.closes === 1)
    expect(client.receivedBytes).toBe(size)
    expect(server.callsAfterClose).toBe(0)
  })

  it("closes when the client does, once", async () => {
    const { server, client, until } = await connected(create)
    client.write("bye")
    client.connection!.end()
    await until(() => server.closes === 1)
    expect(server.received).toBe("bye")
    server.connection!.destroy()
    server.connection!.end()
    expect(server.write("x")).toBe(true)
    await until(() => client.closes === 1)
    expect(server.closes).toBe(1)
  })

  it("survives a client that resets the connection", async () => {
    const { server, client, until } = await connected(create)
    client.connection!.destroy()
    await until(() => server.closes === 1)
    expect(server.callsAfterClose).toBe(0)
  })

  it("destroys at once, and calls close all the same", async () => {
    const { server, client, until } = await connected(create)
    server.connection!.destroy()
    server.connection!.destroy()
    await until(() => server.closes === 1 && client.closes === 1)
    expect(server.closes).toBe(1)
  })

  it("refuses a port in use", async () => {
    const { another, port } = await connected(create)
    await expect(another().listen("127.0.0.1", port, () => new Side())).rejects.toMatchObject({ code: "EADDRINUSE" })
  })

  it("stops: nobody can connect, and what is open is destroyed; the port is free again", async () => {
    const { listener, another, server, client, until, port, connect } = await connected(create)
    await listener.stop()
    await until(() => client.closes === 1 && server.closes === 1)
    let refused: Side | null = null
    try {
      refused = connect(port)
    } catch (error) {
      expect(error).toMatchObject({ code: "ECONNREFUSED" })
    }
    if (refused !== null) await until(() => refused.closes === 1)
    await expect(another().listen("127.0.0.1", port, () => new Side())).resolves.toEqual({ port })
    await listener.stop()
  })
})

describe("simulated byte listener", () => {
  it("cuts the stream at arbitrary places", async () => {
    const { server, client, until } = await connected(simulated)
    const pieces: number[] = []
    server.onData = (text) => pieces.push(text.length)
    for (let i = 0; i < 50; i++) {
      client.write("0123456789")
      await until(() => server.received.length === 10 * (i + 1))
    }
    expect(pieces.some((size) => size < 10)).toBe(true)
    expect(server.received).toBe("0123456789".repeat(50))
  })

  it("closes the clients of a process that dies, and calls nothing in it", async () => {
    const { hub, until } = simulated()
    const clock = new SimulatedClock({ scheduler: hub.scheduler })
    const listener = hub.listener(clock)
    const server = new Side()
    const { port } = await listener.listen("127.0.0.1", 0, (connection) => {
      server.connection = connection
      return server
    })
    const client = new Side()
    client.connection = hub.connect("127.0.0.1", port, client)
    clock.kill()
    listener.kill()
    client.write("anybody there?")
    await until(() => client.closes === 1)
    expect(server.closes).toBe(0)
    expect(server.received).toBe("")
    expect(() => hub.connect("127.0.0.1", port, client)).toThrow("ECONNREFUSED")
  })
})
