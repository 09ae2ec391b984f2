import type { Ingredient } from "./ingredient";

/** A recipe as the server sends it. */
export interface Recipe {
  id: string;
  title: string;
  portions: number;
  scalable?: boolean;
  ingredients: Ingredient[];
  steps: string[];
  minutes: number;
  tags: string[];
}

export function isQuick(recipe: Recipe): boolean {
  return recipe.minutes <= 25 && recipe.steps.length < 8;
}

/** Amounts for one person. */
export function perPerson(recipe: Recipe, grams: number): number {
  return Math.round(grams / Math.max(1, recipe.portions));
}
