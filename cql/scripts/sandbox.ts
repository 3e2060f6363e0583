// Runs JavaScript bodies in QuickJS, an interpreter in WebAssembly that has no way out: no modules, files, sockets, timers.
//
// 1. The engine is loaded at the first use: a *world* is a QuickJS runtime with a stack limit, and one
//    context in it that prelude.ts has prepared. All functions live in it. It takes some 10 ms to make. The memory is the
//    engine's own and bounded.
// 2. A call passes its arguments as wires (wire.ts), one handle each, and gets a wire back.
// 3. QuickJS asks the interrupt handler every 10,000 jumps and calls. It stops a call that has gone on for `failTimeoutMs`
//    by the clock, or for INTERRUPTS_PER_MS of them for each such millisecond: a simulated clock stands still meanwhile.
// 4. After a call that was stopped or ran out of memory, the world is thrown away, for what it left is unknown; functions
//    load themselves into the next one when they are called.
//
// INVARIANT: nothing of a body outlives a call: the globals are frozen, and it is called without `this`.
// What is not bounded: one operation on a huge value, such as the digits of a number with a million bits, runs to its end.
// Bodies run on the main thread, one after the other, as everything that answers requests does.
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime, QuickJSWASMModule } from "quickjs-emscripten"
import { typeName } from "../../data/types/type-name.ts"
import { Buffer, assert } from "../../runtime/pure.ts"
import { PRELUDE } from "./prelude.ts"
import { type Script, type ScriptDefinition, ScriptError, type ScriptHost, type ScriptLimits } from "./script-host.ts"
import { type Shape, type Wire, WireError, fromWire, isPlain, shapeOf, toWire } from "./wire.ts"

const STACK_BYTES = 256 * 1024
const MAX_KEPT = 256
/** Somewhat more than fast machines manage, so that the clock decides where there is one. */
const INTERRUPTS_PER_MS = 50

export interface SandboxDeps {
  /** A new engine, whose memory never grows beyond so many bytes. */
  readonly load: (memoryBytes: number) => QuickJSWASMModule
  readonly nowMicros: () => number
  readonly limits: ScriptLimits
}

interface World {
  readonly runtime: QuickJSRuntime
  readonly context: QuickJSContext
  /** The prelude's function that wraps a body. */
  readonly make: QuickJSHandle
  /** Of the functions in it. */
  readonly handles: Set<QuickJSHandle>
}

export class ScriptSandbox implements ScriptHost {
  readonly #deps: SandboxDeps
  /** By definition, the one used last at the end. */
  readonly #scripts = new Map<string, LoadedScript>()
  /** Kept from world to world while it is whole. */
  #engine: QuickJSWASMModule | null = null
  #world: World | null = null
  #begunMicros = 0
  #interrupts = 0

  constructor(deps: SandboxDeps) {
    this.#deps = deps
  }

  compile(definition: ScriptDefinition): Script {
    const key = JSON.stringify([definition.argumentNames, definition.argumentTypes, definition.returnType, definition.body])
    const script = this.#scripts.get(key) ?? new LoadedScript(definition, this)
    script.load()
    this.#scripts.delete(key)
    this.#scripts.set(key, script)
    const [oldest] = this.#scripts
    if (this.#scripts.size > MAX_KEPT && oldest !== undefined) {
      this.#scripts.delete(oldest[0])
      // A plan that still holds it loads it again.
      oldest[1].unload()
    }
    return (args) => script.run(args)
  }

  /** The world of the moment. */
  world(): World {
    this.#world ??= this.#newWorld()
    return this.#world
  }

  /** Runs something in the sandbox, within the limits of one call. Throws ScriptError. */
  guarded<T>(body: () => T): T {
    this.#begunMicros = this.#deps.nowMicros()
    this.#interrupts = 0
    try {
      return body()
    } catch (error) {
      if (!(error instanceof ScriptError)) {
        // The engine has trapped or the package is at a loss: nothing in it is touched again.
        this.#world = null
        this.#engine = null
        throw new ScriptError(`InternalError: ${error instanceof Error ? error.message : String(error)}`)
      }
      if (error.message === "InternalError: interrupted") {
        this.#end()
        throw new ScriptError(`ran longer than ${this.#deps.limits.failTimeoutMs}ms`)
      }
      if (error.message === "InternalError: out of memory") this.#end()
      throw error
    }
  }

  #newWorld(): World {
    this.#engine ??= this.#deps.load(this.#deps.limits.memoryBytes)
    const runtime = this.#engine.newRuntime()
    runtime.setMaxStackSize(STACK_BYTES)
    try {
      const context = runtime.newContext()
      const make = evaluated(context, PRELUDE)
      // Only now: the prelude is not a function's fault.
      runtime.setInterruptHandler(() => this.#isOver())
      return { runtime, context, make, handles: new Set() }
    } catch (error) {
      // An engine in which there is no room for the prelude has none for anything.
      this.#engine = null
      throw new ScriptError(`InternalError: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #isOver(): boolean {
    const { failTimeoutMs } = this.#deps.limits
    this.#interrupts++
    return this.#interrupts > failTimeoutMs * INTERRUPTS_PER_MS || this.#deps.nowMicros() - this.#begunMicros > failTimeoutMs * 1000
  }

  #end(): void {
    const world = this.#world
    this.#world = null
    if (world === null) return
    try {
      for (const handle of world.handles) handle.dispose()
      world.make.dispose()
      world.context.dispose()
      world.runtime.dispose()
    } catch {
      // What ran out of memory in the middle of something cannot always be taken apart; the engine goes with it.
      this.#engine = null
    }
  }
}

class LoadedScript {
  readonly #definition: ScriptDefinition
  readonly #sandbox: ScriptSandbox
  readonly #isPlain: readonly boolean[]
  #loaded: { readonly world: World; readonly call: QuickJSHandle } | null = null

  constructor(definition: ScriptDefinition, sandbox: ScriptSandbox) {
    this.#definition = definition
    this.#sandbox = sandbox
    this.#isPlain = definition.argumentTypes.map(isPlain)
  }

  /** Throws ScriptError when the body is no JavaScript. */
  load(): { readonly world: World; readonly call: QuickJSHandle } {
    const world = this.#sandbox.world()
    if (this.#loaded?.world === world) return this.#loaded
    this.#loaded = null
    const call = this.#sandbox.guarded(() => this.#wrapped(world))
    world.handles.add(call)
    this.#loaded = { world, call }
    return this.#loaded
  }

  unload(): void {
    const loaded = this.#loaded
    this.#loaded = null
    // A world that has ended has disposed of it.
    if (loaded !== null && loaded.call.alive && loaded.world.handles.delete(loaded.call)) loaded.call.dispose()
  }

  run(args: readonly (Uint8Array | null)[]): Buffer | null {
    const { argumentTypes, returnType } = this.#definition
    const wires = argumentTypes.map((type, index) => {
      const bytes = args[index] ?? null
      return bytes === null ? null : toWire(type, asBuffer(bytes))
    })
    const { world, call } = this.load()
    const result = this.#sandbox.guarded(() => {
      const handles = wires.map((wire, index) => handleOf(world.context, wire, this.#isPlain[index] as boolean))
      try {
        return take(world.context, world.context.callFunction(call, world.context.undefined, ...handles))
      } finally {
        for (const handle of handles) handle.dispose()
      }
    })
    try {
      return fromWire(returnType, parsed(result, shapeOf(returnType)))
    } catch (error) {
      if (error instanceof WireError) throw new ScriptError(`TypeError: expected ${typeName(returnType)}: ${error.message}`)
      throw error
    }
  }

  #wrapped({ context, make }: World): QuickJSHandle {
    const { argumentNames, argumentTypes, returnType, body } = this.#definition
    const parameters = argumentNames.join(", ")
    const code = `(function (${parameters}) { "use strict"; ${body}\n})`
    // What is one body in a function and in a method is one in truth: a text that closes the one and goes on with
    // statements of its own, which would be run here and now, cannot be the other as well.
    for (const wrapped of [code, `({ body(${parameters}) { "use strict"; ${body}\n} })`]) take(context, context.evalCode(wrapped, "body", { compileOnly: true }), (handle) => handle.dispose())
    const own = [evaluated(context, code)]
    try {
      own.push(...[argumentTypes.map(shapeOf), shapeOf(returnType)].map((shape) => context.newString(JSON.stringify(shape))))
      const [call, ...shapes] = own as [QuickJSHandle, QuickJSHandle, QuickJSHandle]
      return take(context, context.callFunction(make, context.undefined, ...shapes, call), (handle) => handle)
    } finally {
      for (const handle of own) handle.dispose()
    }
  }
}

/** Text goes as JSON: the package's strings end at a character of code 0. */
function handleOf(context: QuickJSContext, wire: Wire, plain: boolean): QuickJSHandle {
  if (wire === null) return context.null
  if (!plain) return context.newString(JSON.stringify(wire))
  if (typeof wire === "boolean") return wire ? context.true : context.false
  return context.newNumber(Number(wire))
}

function evaluated(context: QuickJSContext, code: string): QuickJSHandle {
  return take(context, context.evalCode(code), (handle) => handle)
}

/** The value of a result as the host sees it; throws what the sandbox threw as a ScriptError. */
function take(context: QuickJSContext, result: ReturnType<QuickJSContext["callFunction"]>): unknown
function take<T>(context: QuickJSContext, result: ReturnType<QuickJSContext["callFunction"]>, read: (handle: QuickJSHandle) => T): T
function take(context: QuickJSContext, result: ReturnType<QuickJSContext["callFunction"]>, read?: (handle: QuickJSHandle) => unknown): unknown {
  if (result.error !== undefined) {
    const problem: unknown = context.dump(result.error)
    result.error.dispose()
    throw new ScriptError(errorText(problem))
  }
  if (read !== undefined) return read(result.value)
  const value: unknown = context.dump(result.value)
  result.value.dispose()
  return value
}

function errorText(problem: unknown): string {
  if (typeof problem !== "object" || problem === null || !("message" in problem)) return String(problem)
  const { name, message } = problem as { name?: unknown; message: unknown }
  return `${typeof name === "string" ? name : "Error"}: ${String(message)}`
}

/** Shapes whose wires come as JSON. */
const ENCODED: ReadonlySet<string> = new Set(["blob", "decimal", "duration", "list", "map", "set", "text", "tuple", "udt"])

function parsed(result: unknown, shape: Shape): Wire {
  assert(result === null || typeof result === "string" || typeof result === "number" || typeof result === "boolean", "the prelude gives plain results")
  const kind = typeof shape === "string" ? shape : (shape[0] as string)
  return typeof result === "string" && ENCODED.has(kind) ? (JSON.parse(result) as Wire) : result
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
