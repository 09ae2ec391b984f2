import type { ParcelStatus } from "./status";

/** What the tracking page knows about a parcel. */
export interface ParcelView {
  code: string;
  status: ParcelStatus;
  expectedAt?: string;
}

export function title(view: ParcelView): string {
  return view.expectedAt === undefined ? "On its way" : `Expected ${view.expectedAt}`;
}
