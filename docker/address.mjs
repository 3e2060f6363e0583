// Prints the address that a node in a container listens on when it is told none: the container's only address, or, on several
// networks, the one from which the first known seed is reached (of CASSANDRA_SEEDS). Seeds that start at the same time may have no name yet:
// it asks for up to ten seconds, then takes the first address there is.
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { networkInterfaces } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"

const ATTEMPTS = 50
const PAUSE_MS = 200

/** The local address of packets to this host; null when it has no name or no route. Sends nothing. */
async function addressTowards(host) {
  const socket = createSocket("udp4")
  try {
    socket.connect(7000, host)
    await once(socket, "connect")
    return socket.address().address
  } catch {
    return null
  } finally {
    socket.close()
  }
}

async function choose(addresses, seeds) {
  if (addresses.length === 1 || seeds.length === 0) return addresses[0]
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    for (const seed of seeds) {
      const address = await addressTowards(seed)
      if (addresses.includes(address)) return address
    }
    await sleep(PAUSE_MS)
  }
  return addresses[0]
}

const interfaces = Object.values(networkInterfaces()).flat()
const addresses = interfaces.filter((one) => one.family === "IPv4" && !one.internal).map((one) => one.address)
const seeds = (process.env.CASSANDRA_SEEDS ?? "").split(",").map((seed) => seed.trim().replace(/:\d+$/, "")).filter((seed) => seed !== "")
const address = await choose(addresses, seeds)
if (address === undefined) {
  process.stderr.write("This container has no IPv4 address besides loopback: set CASSANDRA_LISTEN_ADDRESS.\n")
  process.exit(1)
}
process.stdout.write(`${address}\n`)
