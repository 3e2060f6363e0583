// The messages of the native protocol (section 2.4 of its specification).

export const OPCODE = {
  error: 0x00, startup: 0x01, ready: 0x02, authenticate: 0x03, credentials: 0x04, options: 0x05, supported: 0x06, query: 0x07,
  result: 0x08, prepare: 0x09, execute: 0x0a, register: 0x0b, event: 0x0c, batch: 0x0d, authChallenge: 0x0e, authResponse: 0x0f,
  authSuccess: 0x10,
} as const
export type Opcode = (typeof OPCODE)[keyof typeof OPCODE]

const NAMES = [
  "ERROR", "STARTUP", "READY", "AUTHENTICATE", "CREDENTIALS", "OPTIONS", "SUPPORTED", "QUERY", "RESULT", "PREPARE", "EXECUTE",
  "REGISTER", "EVENT", "BATCH", "AUTH_CHALLENGE", "AUTH_RESPONSE", "AUTH_SUCCESS",
]
/** One bit per opcode. */
const FROM_CLIENTS = [
  OPCODE.startup, OPCODE.credentials, OPCODE.options, OPCODE.query, OPCODE.prepare, OPCODE.execute, OPCODE.register, OPCODE.batch,
  OPCODE.authResponse,
].reduce((bits, opcode) => bits | (1 << opcode), 0)

export function isOpcode(opcode: number): opcode is Opcode {
  return opcode < NAMES.length
}
export function opcodeName(opcode: Opcode): string {
  return NAMES[opcode] as string
}
export function isRequestOpcode(opcode: Opcode): boolean {
  return ((FROM_CLIENTS >>> opcode) & 1) !== 0
}
