// How V8 keeps an object's numbers: as small whole numbers until one is stored that is none ("field representation").

/** What V8 learned is forgotten with the last object of a class. */
const samples: object[] = []

/** `sample` is the first of its class: those after it keep these fields as fractions from the start. */
export function holdFractions<Key extends string>(sample: Record<Key, number>, keys: readonly Key[]): void {
  for (const key of keys) sample[key] = 0.5
  samples.push(sample)
}
