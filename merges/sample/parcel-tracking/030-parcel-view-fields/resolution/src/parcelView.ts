import type { ParcelStatus } from "./status";

/** What the tracking page knows about a parcel. */
export interface ParcelView {
  code: string;
  status: ParcelStatus;
  expectedAt?: string;
  /** Number of the locker, once the parcel lies in it. */
  locker?: number;
  /** Stops that the van makes before this one. */
  stopsLeft?: number;
}

export function title(view: ParcelView): string {
  if (view.locker !== undefined) {
    return `Ready in locker ${view.locker}`;
  }
  return view.expectedAt === undefined ? "On its way" : `Expected ${view.expectedAt}`;
}

export function stopsText({ stopsLeft }: ParcelView): string {
  return stopsLeft === 0 ? "You are next" : `${stopsLeft ?? "?"} stops to go`;
}
