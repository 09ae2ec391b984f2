import type { Ingredient } from "./ingredient";

/** A recipe as the server sends it. */
export interface Recipe {
  id: string;
  title: string;
  servings: number;
  ingredients: Ingredient[];
  steps: string[];
  minutes: number;
  tags: string[];
}

export function isQuick(recipe: Recipe): boolean {
  return recipe.minutes <= 25;
}

/** Amounts for one person. */
export function perPerson(recipe: Recipe, grams: number): number {
  return Math.round(grams / recipe.servings);
}
