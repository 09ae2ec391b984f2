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
  if (basket.seats.some((other) => same(other, seat))) {
    return { ...basket, seats: basket.seats.filter((other) => !same(other, seat)) };
  }
  if (basket.seats.length >= MOST_SEATS) {
    return { ...basket, message: `You can book ${MOST_SEATS} seats at most.` };
  }
  return { ...basket, seats: [...basket.seats, seat] };
}

export function total(basket: Basket): number {
  return basket.seats.reduce((sum, seat) => sum + seat.cents, 0);
}
