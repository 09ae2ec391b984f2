import { fetchView } from "./api";
import type { ParcelView } from "./parcelView";

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 120_000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Calls onView with each new view of the parcel. */
export function poll(code: string, onView: (view: ParcelView) => void): void {
  fetchView(code)
    .then(onView)
    .catch((error) => console.warn(`no view of ${code}`, error))
    .then(() => sleep(FIRST_PAUSE_MS))
    .then(() => poll(code, onView));
}
