import type { Booking } from "./booking";

export interface Zeile {
  text: string;
  cents: number;
}

/** Alle Zeilen der Preisübersicht, die Gebühr am Schluss. */
export function zeilen(booking: Booking): Zeile[] {
  const seats = booking.seats.map((seat) => ({ text: `Reihe ${seat.row}, Platz ${seat.place}`, cents: seat.cents }));
  return [...seats, { text: "Vorverkaufsgebühr", cents: booking.feeCents }];
}

export function betrag(cents: number, sprache = "de-AT"): string {
  return new Intl.NumberFormat(sprache, { style: "currency", currency: "EUR" }).format(cents / 100);
}

export function summe(booking: Booking): string {
  return betrag(zeilen(booking).reduce((sum, zeile) => sum + zeile.cents, 0));
}
