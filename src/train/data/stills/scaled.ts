/** Every number times `share`. */
export function scaledBy<T extends Readonly<Record<string, number>>>(share: number, numbers: T): T {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, share * value])) as T;
}
