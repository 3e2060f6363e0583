// Runs a load in a process of its own (load-generator.ts).
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Load {
  readonly address: string
  readonly port: number
  readonly query: string
  /** One per bind marker: see request-template.ts. */
  readonly values: string
  readonly connections: number
  /** Requests in flight per connection. */
  readonly outstanding: number
  /** Of measuring, after `warmSeconds` that do not count. */
  readonly seconds: number
  readonly warmSeconds: number
  /** Ends after so many requests instead, and measures all of them. */
  readonly count?: number
  /** Requests per second, open loop; unset: as many as the server takes. */
  readonly rate?: number
  /** A protocol code; 1 (ONE) when unset. */
  readonly consistency?: number
  /** Of the server, to measure what it uses. */
  readonly pid?: number
  /** More servers of the same cluster, on the same port: connections go round all of them, and CPU times are the sum. */
  readonly others?: readonly { readonly address: string; readonly pid: number }[]
}

/** CPU times are per request. */
export interface LoadResult {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly errors: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maximumMs: number
  readonly clientUs: number
  /** Of the thread that runs requests; null without `pid`. */
  readonly serverMainUs: number | null
  readonly serverAllUs: number | null
}

const GENERATOR = fileURLToPath(new URL("load-generator.ts", import.meta.url))

export function runLoad(load: Load): Promise<LoadResult> {
  const child = spawn(process.execPath, [GENERATOR, JSON.stringify(load)], { stdio: ["ignore", "pipe", "inherit"] })
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text
  })
  return new Promise((resolve, reject) => {
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(output) as LoadResult)
      else reject(new Error(`the load generator ended with code ${code}`))
    })
  })
}
