import { expect, test } from "vitest"
import { loadQuickJs } from "./quickjs-module.ts"

const MEBIBYTE = 1024 * 1024

/** The message of what the code throws, or its value. */
function run(code: string, memoryBytes: number): { readonly result: unknown; readonly memoryBytes: number } {
  const engine = loadQuickJs(memoryBytes)
  const runtime = engine.newRuntime()
  const context = runtime.newContext()
  const outcome = context.evalCode(code)
  const problem = outcome.error === undefined ? null : (context.dump(outcome.error) as { message: string })
  const result: unknown = outcome.error === undefined ? context.dump(outcome.value) : problem?.message
  return { result, memoryBytes: (engine as unknown as { getWasmMemory(): { buffer: ArrayBuffer } }).getWasmMemory().buffer.byteLength }
}

test("is there at once, and computes", () => {
  expect(run("6 * 7", 16 * MEBIBYTE).result).toBe(42)
})

test.each(["const all = []; for (;;) all.push(new Uint8Array(1e6))", "const all = []; for (;;) all.push({ a: 1 })", "let s = 'x'; for (;;) s += s + s"])(
  "never takes more memory than it may: %s",
  (code) => {
    const { result, memoryBytes } = run(code, 24 * MEBIBYTE)
    expect(result).toMatch(/out of memory|string too long|invalid string length/i)
    expect(memoryBytes).toBeLessThanOrEqual(24 * MEBIBYTE)
  },
)

test("knows neither the time nor the time zone", () => {
  expect(run("[Date.now(), new Date(2024, 6, 1).getTimezoneOffset(), new Date(2024, 6, 1).toISOString()].join()", 16 * MEBIBYTE).result).toBe("0,0,2024-07-01T00:00:00.000Z")
})
