package app.seatwise.booking;

import app.seatwise.booking.pay.PaymentClient;
import app.seatwise.booking.pay.PaymentException;
import app.seatwise.booking.pay.Voucher;
import app.seatwise.booking.seat.Seat;
import app.seatwise.booking.seat.SeatMap;
import java.util.List;
import java.util.concurrent.locks.Lock;

/** Sells seats. */
public class BookingService {

    private final SeatMaps maps;
    private final PaymentClient payments;
    private final ShowingLocks locks;

    public BookingService(SeatMaps maps, PaymentClient payments, ShowingLocks locks) {
        this.maps = maps;
        this.payments = payments;
        this.locks = locks;
    }

    public Booking book(Guest guest, String showing, List<Seat> seats, Voucher voucher) throws PaymentException {
        Lock lock = locks.of(showing);
        lock.lock();
        try {
            SeatMap map = maps.load(showing);
            map.requireFree(seats);
            map.takeAll(seats, guest);
            try {
                payments.charge(guest, voucher.applyTo(map.price(seats)));
            } catch (PaymentException e) {
                map.releaseAll(seats);
                throw e;
            }
            return maps.save(showing, map, guest);
        } finally {
            lock.unlock();
        }
    }

    /** Gives all the seats of a booking back and pays the guest what the house owes him. */
    public void cancel(Booking booking) throws PaymentException {
        SeatMap map = maps.load(booking.showing());
        map.releaseAll(booking.seats());
        maps.save(booking.showing(), map, booking.guest());
        if (booking.isPaid()) {
            payments.refund(booking.guest(), booking.cents());
        }
    }

    /** The seats side by side that are nearest to the stage, or none. */
    public List<Seat> suggest(String showing, int count) {
        if (count < 1) {
            throw new IllegalArgumentException("cannot suggest " + count + " seats");
        }
        return maps.load(showing).blocks(count).stream()
                .min((first, second) -> first.get(0).row().compareTo(second.get(0).row()))
                .orElse(List.of());
    }
}
