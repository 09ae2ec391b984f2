import type { Recipe } from "../model/recipe";

export type Order = "name" | "newest" | "quickest";

const language = document.documentElement.lang;

const collator = new Intl.Collator(language, { sensitivity: "base" });
export function byName(a: Recipe, b: Recipe): number {
  return collator.compare(a.title, b.title);
}

export function byMinutes(a: Recipe, b: Recipe): number {
  return a.minutes - b.minutes;
}

export function sorted(recipes: Recipe[], order: Order): Recipe[] {
  console.log("sorted", order, recipes.length);
  if (order === "name") {
    return recipes.slice().sort(byName);
  }
  const newest = recipes.slice();
  return newest.reverse();
}
