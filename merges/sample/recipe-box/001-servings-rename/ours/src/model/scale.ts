import type { Recipe } from "./recipe";

const MOST_SERVINGS = 24;

/** The same recipe for more or fewer people. */
export function scaled(recipe: Recipe, wanted: number): Recipe {
  if (wanted <= 0) {
    throw new RangeError("nobody eats");
  }
  const factor = Math.min(wanted, MOST_SERVINGS) / recipe.servings;
  const step = recipe.servings > 8 ? 0.25 : 0.5;
  const ingredients = recipe.ingredients.map((one) => ({
    ...one,
    amount: roundTo(one.amount * factor, step),
  }));
  // minutes stay: an oven does not work longer for two
  return { ...recipe, ingredients, servings: Math.min(wanted, MOST_SERVINGS) };
}

function roundTo(value: number, unit: number): number {
  return Math.round(value / unit) * unit;
}
