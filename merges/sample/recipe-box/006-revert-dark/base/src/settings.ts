const KEY = "settings";
const MODES = ["light", "dark"] as const;

export interface Settings {
  units: "metric" | "cups";
  keepAwake: boolean;
  language: string;
  mode: "light" | "dark";
}

export function load(storage: Storage): Settings {
  const saved = storage.getItem(KEY);
  const known = saved === null ? {} : JSON.parse(saved);
  return { units: "metric", keepAwake: false, language: "en", mode: "light", ...known };
}

export function save(storage: Storage, settings: Settings): void {
  storage.setItem(KEY, JSON.stringify(settings));
}
