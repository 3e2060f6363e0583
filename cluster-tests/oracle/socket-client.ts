// The golden files' client over a socket.
import { type Socket, createConnection } from "node:net"
import { CqlClient } from "../cql/cql-client.ts"

const NATIVE_PORT = 9042

export interface SocketClient {
  readonly client: CqlClient
  end(): void
}

/** `address`: an address, or address:port. Resolves once the server has answered STARTUP. */
export async function connect(address: string): Promise<SocketClient> {
  const [host = "", port = String(NATIVE_PORT)] = address.split(":")
  const socket: Socket = createConnection({ host, port: Number(port), noDelay: true })
  const client = new CqlClient((bytes) => socket.write(bytes))
  socket.on("data", (bytes) => client.received(bytes))
  socket.on("error", () => socket.destroy())
  socket.on("close", () => client.closed())
  await client.start()
  return { client, end: () => socket.destroy() }
}
