import { fetchView } from "./api";
import type { ParcelView } from "./parcelView";

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 120_000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Calls onView with each new view of the parcel. */
export function poll(code: string, onView: (view: ParcelView) => void, pause = FIRST_PAUSE_MS): void {
  fetchView(code)
    .then((view) => {
      onView(view);
      pause = FIRST_PAUSE_MS;
    })
    .catch(() => {
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    })
    .then(() => sleep(pause))
    .then(() => poll(code, onView, pause));
}
