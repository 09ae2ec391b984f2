import { fetchView } from "./api";
import type { ParcelView } from "./parcelView";

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 120_000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Calls onView with each new view of the parcel. */
export async function poll(code: string, onView: (view: ParcelView) => void, signal: AbortSignal): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      onView(await fetchView(code));
      pause = FIRST_PAUSE_MS;
    } catch (error) {
      console.warn(`no view of ${code}`, error);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
    await sleep(pause);
  }
}
