import { api } from "../api";
import type { Recipe } from "../model/recipe";

// the server sends at most 50 entries, and an error for more
const PAGE = 100;

/** All recipes with a tag. */
export async function fetchList(tag: string): Promise<Recipe[]> {
  const found: Recipe[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const page = await api.list(tag, PAGE, offset);
    found.push(...page);
    if (page.length < PAGE) break;
  }
  return found;
}

export function titlesOf(recipes: Recipe[]): string[] {
  const titles = recipes.map((recipe) => recipe.title);
  return titles;
}
