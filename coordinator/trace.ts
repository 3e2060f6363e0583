/** One traced request: what it did when. Ends up in system_traces (tracing.ts). */
export interface Trace {
  /** REQUIRES: a sentence as Cassandra's tracing has it. */
  event(activity: string): void
}
