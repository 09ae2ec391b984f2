import type { ParcelView } from "./parcelView";

export interface ShareOptions {
  origin: string;
  language: string;
}

/** The languages of the page, by the name that they have in it. */
export const LANGUAGES: Record<string, string> = {
  de: "Deutsch",
  en: "English",
  fr: "Français",
  it: "Italiano",
  rm: "Rumantsch",
};

/** The language of the browser when the page speaks it, else English. */
export function pageLanguage(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const language = tag.split("-")[0].toLowerCase();
    if (language in LANGUAGES) {
      return language;
    }
  }
  return "en";
}

/** The address of the tracking page that a customer can pass on. */
export function shareLink(view: ParcelView, options: ShareOptions): string {
  return `${options.origin}/track/${view.code}?from=share&lang=${options.language}`;
}

/** The text that goes with the link, e.g. "PH123: out for delivery https://…". */
export function shareText(view: ParcelView, options: ShareOptions): string {
  const status = view.status.replace(/_/g, " ").toLowerCase();
  return `${view.code}: ${status} ${shareLink(view, options)}`;
}
