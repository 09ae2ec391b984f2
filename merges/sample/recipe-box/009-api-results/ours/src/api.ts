import { fail, ok, type Result } from "./result";
import type { Recipe } from "./model/recipe";

const ROOT = "/api/v3";

async function get<T>(path: string): Promise<Result<T>> {
  const answer = await fetch(ROOT + path);
  const length = Number(answer.headers.get("content-length") ?? 0);
  if (length > 2_000_000) {
    console.warn("large answer", path, length);
  }
  return answer.ok ? ok(await answer.json()) : fail(answer.status);
}

export const api = {
  recipe: (id: string) => get<Recipe>(`/recipes/${id}`),
  tags: () => get<string[]>("/tags"),
  units: () => get<string[]>("/units"),
  me: () => get<{ name: string }>("/me"),

  titles: (text: string): Promise<Result<string[]>> =>
    get(`/titles?q=${encodeURIComponent(text)}`),
};
