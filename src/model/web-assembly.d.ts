/** What the program uses of WebAssembly: Node's types leave it to those of the DOM. */

declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    /** As large as `initial`: a shared memory that nobody grows keeps its buffer. */
    readonly buffer: SharedArrayBuffer;
  }

  class Module {
    constructor(bytes: Uint8Array);
  }

  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }

  class Global {
    constructor(descriptor: { value: 'i32' }, value: number);
  }
}
