// The node's log: lines of text in Cassandra's pattern, because tools wait for certain lines ("Startup complete",
// "is now DOWN"). Level, thread, time, message.

export type LogLevel = "DEBUG" | "INFO" | "WARN" | "ERROR"
const RANK: Readonly<Record<LogLevel, number>> = { DEBUG: 0, INFO: 1, WARN: 2, ERROR: 3 }

export interface Log {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** `write` gets whole lines, newline included. */
export function createLog(minimum: LogLevel, write: (line: string) => void): Log {
  function line(level: LogLevel, message: string): void {
    if (RANK[level] < RANK[minimum]) return
    const time = new Date().toISOString().replace("T", " ").replace(".", ",").slice(0, 23)
    write(`${level.padEnd(5)} [main] ${time} - ${message}\n`)
  }
  return {
    debug: (message) => line("DEBUG", message),
    info: (message) => line("INFO", message),
    warn: (message) => line("WARN", message),
    error: (message) => line("ERROR", message),
  }
}
