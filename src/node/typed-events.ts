// EventEmitter's methods with the names of events and what each tells its listeners, for classes whose Node types have none.

// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter itself has it
type Any = (...args: any[]) => void

/** `E` maps an event's name to its arguments. Other names stay possible, as Node has it. */
export interface TypedEvents<E> {
  on<K extends keyof E>(event: K, listener: (...args: Extract<E[K], unknown[]>) => void): this
  on(event: string | symbol, listener: Any): this
  once<K extends keyof E>(event: K, listener: (...args: Extract<E[K], unknown[]>) => void): this
  once(event: string | symbol, listener: Any): this
  off<K extends keyof E>(event: K, listener: (...args: Extract<E[K], unknown[]>) => void): this
  off(event: string | symbol, listener: Any): this
  addListener<K extends keyof E>(event: K, listener: (...args: Extract<E[K], unknown[]>) => void): this
  addListener(event: string | symbol, listener: Any): this
  removeListener<K extends keyof E>(event: K, listener: (...args: Extract<E[K], unknown[]>) => void): this
  removeListener(event: string | symbol, listener: Any): this
  prependListener<K extends keyof E>(event: K, listener: (...args: Extract<E[K], unknown[]>) => void): this
  prependListener(event: string | symbol, listener: Any): this
  prependOnceListener<K extends keyof E>(event: K, listener: (...args: Extract<E[K], unknown[]>) => void): this
  prependOnceListener(event: string | symbol, listener: Any): this
  emit<K extends keyof E>(event: K, ...args: Extract<E[K], unknown[]>): boolean
  // biome-ignore lint/suspicious/noExplicitAny: as above
  emit(event: string | symbol, ...args: any[]): boolean
}
