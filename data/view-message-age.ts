// How old a message to a view may be when it arrives (rule F1 of docs/views.md). Views purge what is dead twice as long after
// it arrived (F3), so that no message that left before can still undo the purge: once for the message's age, once for clocks
// that differ and messages that wait where they arrived.
export const VIEW_MESSAGE_MAX_AGE_MS = 60_000
export const VIEW_PURGE_AFTER_SECONDS = (2 * VIEW_MESSAGE_MAX_AGE_MS) / 1000
