// What the server remembers of one client connection: what handlers see of it, and the rest of a row of
// system_views.clients.
import type { ClientState } from "../request.ts"

export class ClientSession implements ClientState {
  readonly remote: string
  version = 0
  keyspace: string | null = null
  driverName = ""
  driverVersion = ""
  /** What STARTUP said. */
  options: ReadonlyMap<string, string> = new Map()
  /** STARTUP has been answered. */
  ready = false
  requestCount = 0

  constructor(remote: string) {
    this.remote = remote
  }

  start(version: number, options: ReadonlyMap<string, string>): void {
    this.version = version
    this.options = options
    this.driverName = options.get("DRIVER_NAME") ?? ""
    this.driverVersion = options.get("DRIVER_VERSION") ?? ""
    this.ready = true
  }
}
