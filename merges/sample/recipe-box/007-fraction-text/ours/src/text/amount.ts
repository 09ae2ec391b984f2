const SIGNS: Record<string, string> = {
  "0.25": "¼",
  "0.5": "½",
  "0.75": "¾",
  "0.33": "⅓",
  "0.67": "⅔",
};

/** An amount with its unit. */
export function amountText(amount: number, unit: string): string {
  const whole = Math.floor(amount);
  const rest = amount - whole;
  const sign = SIGNS[String(Math.round(rest * 100) / 100)];
  return `${whole || ""}${sign ?? ""} ${unit}`;
}

export function rangeText(from: number, to: number, unit: string): string {
  if (from >= to) {
    return amountText(from, unit);
  }
  return `${from}–${amountText(to, unit)}`;
}
