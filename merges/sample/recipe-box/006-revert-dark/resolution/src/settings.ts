const KEY = "recipe-box.settings.v2";

export interface Settings {
  units: "metric" | "cups";
  keepAwake: boolean;
  language: string;
}

export function load(storage: Storage): Settings {
  const saved = storage.getItem(KEY);
  const known = saved === null ? {} : JSON.parse(saved);
  const first = { units: "metric", keepAwake: true, language: "en" };
  return { ...first, ...known };
}

export function save(storage: Storage, settings: Settings): void {
  storage.setItem(KEY, JSON.stringify(settings, null, 0));
}
