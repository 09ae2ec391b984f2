const KEY = "settings";

export interface Settings {
  units: "metric" | "cups";
  keepAwake: boolean;
  language: string;
}

export function load(storage: Storage): Settings {
  const saved = storage.getItem(KEY);
  const known = saved === null ? {} : JSON.parse(saved);
  return { units: "metric", keepAwake: false, language: "en", ...known };
}

export function save(storage: Storage, settings: Settings): void {
  storage.setItem(KEY, JSON.stringify(settings, null, 0));
}
