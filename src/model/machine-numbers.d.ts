/**
 * The numbers of a machine, as state and fold mean them: their source is compiled twice, to JavaScript, where both are `number`,
 * and to WebAssembly, where the difference is in every instruction (fold/wasm/README.md).
 */

/** A word: slots, references, hashes, counts of what is in memory. */
type i32 = number;
/** A double: seconds, values, line numbers, positions. */
type f64 = number;
