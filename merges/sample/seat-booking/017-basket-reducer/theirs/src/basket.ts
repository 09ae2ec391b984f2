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
  const index = basket.seats.findIndex((other) => same(other, seat));
  if (index >= 0) {
    basket.seats.splice(index, 1);
  } else if (basket.seats.length >= MOST_SEATS) {
    basket.message = `You can book ${MOST_SEATS} seats at most.`;
  } else {
    basket.seats.push(seat);
  }
  return basket;
}

export function total(basket: Basket): number {
  return basket.seats.reduce((sum, seat) => sum + seat.cents, 0);
}
