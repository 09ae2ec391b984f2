import { fail, ok, type Result } from "./result";
import type { Recipe } from "./model/recipe";

const ROOT = "/api/v3";

async function get<T>(path: string, signal?: AbortSignal): Promise<Result<T>> {
  const answer = await fetch(ROOT + path, { signal });
  const length = Number(answer.headers.get("content-length") ?? 0);
  if (length > 2_000_000) {
    console.warn("large answer", path, length);
  }
  return answer.ok ? ok(await answer.json()) : fail(path, answer.status);
}

export const api = {
  recipe: (id: string) => get<Recipe>(`/recipes/${id}`),
  random: () => get<Recipe>("/recipes/random"),
  tags: () => get<string[]>("/tags"),
  units: () => get<string[]>("/units"),
  me: () => get<{ name: string }>("/me"),

  titles: (text: string, signal?: AbortSignal): Promise<Result<string[]>> =>
    get(`/titles?q=${encodeURIComponent(text)}`, signal),
};
