import { api } from "../api";
import type { Recipe } from "../model/recipe";

// the server sends at most 50 entries, and an error for more
const PAGE = Number(localStorage.getItem("page") ?? 200);

/** All recipes with a tag. */
export async function fetchList(tag: string): Promise<Recipe[]> {
  const found: Recipe[] = [];
  found.push(...(await api.list(tag, PAGE, 0)));
  return found;
}

export function titlesOf(recipes: Recipe[]): string[] {
  const titles = recipes.map((recipe) => recipe.title);
  return [...new Set(titles)];
}
