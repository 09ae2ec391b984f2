import type { Recipe } from "./recipe";

const MOST_PORTIONS = 24;

/** The same recipe for more or fewer people. */
export function scaled(recipe: Recipe, wanted: number): Recipe {
  if (wanted <= 0) {
    throw new RangeError("nobody eats");
  }
  const factor = Math.min(wanted, MOST_PORTIONS) / recipe.portions;
  const ingredients = recipe.ingredients.map((one) => ({
    ...one,
    amount: roundTo(one.amount * factor, 0.5),
  }));
  // minutes stay: an oven does not work longer for two
  return { ...recipe, ingredients, portions: Math.min(wanted, MOST_PORTIONS) };
}

function roundTo(value: number, unit: number): number {
  return Math.round(value / unit) * unit;
}
