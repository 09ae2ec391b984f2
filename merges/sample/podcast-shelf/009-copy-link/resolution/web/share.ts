import { toast } from "./toast";

/** Puts the link of an episode, with the time, into the clipboard. */
export async function copyLink(url: URL, seconds: number): Promise<void> {
  url.hash = `t=${Math.floor(seconds)}`;
  const done = await navigator.clipboard.writeText(url.href).then(() => true, () => false);

  // a failed copy must not look like a good one
  const words = { good: "Link copied", bad: "Please copy it by hand" };
  const text = done ? words.good : words.bad;

  toast(text, { error: !done, seconds: 5 });
}

/** Whether the system has a menu of its own for it. */
export function canShare(): boolean {
  return "share" in navigator && navigator.canShare?.({ url: location.href }) === true;
}

export function parseTime(hash: string): number {
  const found = /t=(\d+)/.exec(hash);
  return found ? Number.parseInt(found[1], 10) : 0;
}
