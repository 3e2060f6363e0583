// Loads QuickJS (WebAssembly, from the package quickjs-emscripten) without a promise: statements are compiled synchronously,
// and nothing should wait for an engine that few of them use. Costs about 20 ms, once, at the first use.
//
// The package's own loader is asynchronous all the way down, though nothing in it has to wait once the binary is compiled
// at once. Its glue code therefore runs in a `vm` context whose promises are settled before
// `runInContext` returns (microtaskMode "afterEvaluate"). That context also has a Date of its own: one that stands still
// and lives in UTC, so that no function can learn the time or the time zone of the machine by any way round.
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createContext, runInContext } from "node:vm"
import type { QuickJSWASMModule } from "quickjs-emscripten"

const VARIANT = "@jitl/quickjs-wasmfile-release-sync"

const STILL_DATE = `
  for (const part of ["FullYear", "Month", "Date", "Day", "Hours", "Minutes", "Seconds", "Milliseconds"]) Date.prototype["get" + part] = Date.prototype["getUTC" + part]
  Date.prototype.getTimezoneOffset = () => 0
  Date.now = () => 0
`

/** Runs in the context: compiles the binary, gives the glue a way to instantiate it at once, and calls it. */
const START = `
  const INITIAL_PAGES = 256
  exported.exports({
    wasmMemory: new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: maximumPages }),
    instantiateWasm(imports, done) {
      const module = new WebAssembly.Module(binary)
      const instance = new WebAssembly.Instance(module, imports)
      done(instance, module)
      return instance.exports
    },
  }).then((engine) => { loaded.engine = engine }, (failure) => { loaded.failure = failure })
`

const PAGE_BYTES = 65_536

/**
 * A new engine with a memory of its own, of so many bytes at most (16 MiB at least). This is the bound that holds: the limit
 * that QuickJS has itself counts hardly anything in this build, since its allocator cannot tell the size of a piece.
 */
export function loadQuickJs(memoryBytes: number): QuickJSWASMModule {
  const require = createRequire(createRequire(import.meta.url).resolve("quickjs-emscripten"))
  const engine = instantiate(require, Math.max(Math.floor(memoryBytes / PAGE_BYTES), 256))
  const { QuickJSFFI } = require(`${VARIANT}/ffi`) as { QuickJSFFI: new (engine: object) => object }
  const core = require("quickjs-emscripten-core") as { QuickJSWASMModule: new (engine: object, ffi: object) => QuickJSWASMModule }
  return new core.QuickJSWASMModule(engine, new QuickJSFFI(engine))
}

function instantiate(require: NodeJS.Require, maximumPages: number): object {
  const path = require.resolve(`${VARIANT}/emscripten-module`)
  const binary = readFileSync(require.resolve(`${VARIANT}/wasm`))
  const exported: { exports: unknown } = { exports: {} }
  const loaded: { engine: { type?: string } | null; failure: unknown } = { engine: null, failure: null }
  const silent = { log: () => {}, warn: () => {}, error: () => {} }
  const globals = { URL, TextDecoder, TextEncoder, process: { argv: [] }, console: silent, require, exported, loaded, path, binary, maximumPages }
  const context = createContext(globals, { microtaskMode: "afterEvaluate" })
  runInContext(STILL_DATE, context)
  runInContext(`(function (exports, require, module, __filename, __dirname) {${readFileSync(path, "utf8")}\n})(exported.exports, require, exported, path, ".")`, context)
  runInContext(START, context)
  if (loaded.engine === null) throw new Error("QuickJS could not be loaded", { cause: loaded.failure })
  loaded.engine.type = "sync"
  return loaded.engine
}
