export interface Seat {
  row: string;
  place: number;
  cents: number;
}

export interface Basket {
  seats: Seat[];
  message?: string;
}

const MOST_SEATS = 8;

const same = (a: Seat, b: Seat) => a.row === b.row && a.place === b.place;

/** The basket after a click on a seat. */
export function click(basket: Basket, seat: Seat): Basket {
  basket.seats.push(seat);
  return basket;
}

export function total(basket: Basket): number {
  return basket.seats.reduce((sum, seat) => sum + seat.cents, 0);
}
