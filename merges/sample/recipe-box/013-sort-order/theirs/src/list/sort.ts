import type { Recipe } from "../model/recipe";

export type Order = "name" | "newest";

const language = document.documentElement.lang;

export const byName = (a: Recipe, b: Recipe) => (a.title < b.title ? -1 : 1);

export function byMinutes(a: Recipe, b: Recipe): number {
  return a.minutes - b.minutes;
}

export function sorted(recipes: Recipe[], order: Order): Recipe[] {
  console.debug(`order: ${order}`);
  if (order === "name") {
    return recipes.slice().sort(byName);
  }
  const newest = recipes.slice();
  return newest.sort((a, b) => b.id.localeCompare(a.id));
}
