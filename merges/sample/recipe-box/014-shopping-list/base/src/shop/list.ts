import type { Ingredient } from "../model/ingredient";

export interface Entry {
  name: string;
  amount: number;
  unit: string;
  checked: boolean;
}

export function shoppingList(needed: Ingredient[], pantry: Set<string>): Entry[] {
  const entries = new Map<string, Entry>();
  for (const { name, amount, unit } of needed) {
    const key = `${name}/${unit}`;
    entries.set(key, { name, amount, unit });
  }
  return [...entries.values()];
}

/** The list as text. */
export function asText(entries: Entry[]): string {
  const lines = entries
    .filter((entry) => !entry.checked)
    .map((entry) => `${entry.amount} ${entry.unit} ${entry.name}`);
  return lines.join("\n");
}
