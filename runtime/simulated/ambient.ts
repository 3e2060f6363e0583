// In the simulator's process nobody may read a real clock, set a real timer or draw a real random number: that would be a run no
// seed can bring back. The stubs make each such call throw, wherever it is made, libraries included.
//
// What was captured before keeps working: the scheduler's setImmediate, a test runner's own timers. `new Date(value)` is allowed,
// being a mere conversion. Node.js's modules are reached through `process.getBuiltinModule`, because this folder imports none.

/** A call that only the ports may make. */
export class AmbientError extends Error {
  override readonly name = "AmbientError"
}

interface Stub {
  readonly target: object
  readonly key: string
  readonly replacement: string
}

/** Puts the stubs in place and returns what takes them away again. */
export function installAmbientStubs(): () => void {
  const nodeProcess = globalThis.process
  const nodeCrypto = nodeProcess.getBuiltinModule("node:crypto")
  const { syncBuiltinESMExports } = nodeProcess.getBuiltinModule("node:module")
  const undo: (() => void)[] = []
  for (const stub of stubs(nodeProcess, nodeCrypto)) undo.push(install(stub))
  undo.push(replace(globalThis, "Date", stubbedDate(globalThis.Date)))
  // So that `import { randomBytes } from "node:crypto"` sees the stubs too.
  syncBuiltinESMExports()
  return () => {
    for (const restore of undo.toReversed()) restore()
    syncBuiltinESMExports()
  }
}

function stubs(nodeProcess: NodeJS.Process, nodeCrypto: object): Stub[] {
  const timers = ["setTimeout", "setInterval", "setImmediate"].map((key) => ({ target: globalThis, key, replacement: "Clock.after" }))
  const modules = ["node:timers", "node:timers/promises"].flatMap((name) => {
    const target = nodeProcess.getBuiltinModule(name) as object
    return ["setTimeout", "setInterval", "setImmediate"].map((key) => ({ target, key, replacement: "Clock.after" }))
  })
  // The module's own getRandomValues cannot be replaced; the global one can.
  const random = ["randomBytes", "randomFillSync", "randomFill", "randomInt", "randomUUID"]
  return [
    ...timers,
    ...modules,
    ...random.map((key) => ({ target: nodeCrypto, key, replacement: "Random" })),
    { target: Math, key: "random", replacement: "Random.float" },
    { target: globalThis.performance, key: "now", replacement: "Clock.monotonicMs" },
    { target: globalThis.crypto, key: "getRandomValues", replacement: "Random.bytes" },
    { target: globalThis.crypto, key: "randomUUID", replacement: "Random.uuid" },
    { target: nodeProcess, key: "hrtime", replacement: "Clock.monotonicMs" },
  ]
}

function install({ target, key, replacement }: Stub): () => void {
  return replace(target, key, () => {
    throw new AmbientError(`${key} in a simulation: use ${replacement}`)
  })
}

function replace(target: object, key: string, value: unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(target, key)
  Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable: own?.enumerable ?? true })
  return () => {
    if (own === undefined) Reflect.deleteProperty(target, key)
    else Object.defineProperty(target, key, own)
  }
}

function stubbedDate(real: DateConstructor): DateConstructor {
  const refuse = (): never => {
    throw new AmbientError("the date of today in a simulation: use Clock.nowMicros")
  }
  return new Proxy(real, {
    apply: refuse,
    construct: (target, args, newTarget) => (args.length === 0 ? refuse() : (Reflect.construct(target, args, newTarget) as object)),
    get: (target, key) => (key === "now" ? refuse : Reflect.get(target, key)),
  })
}
