package app.seatwise.booking.web;

import app.seatwise.booking.hold.Hold;
import app.seatwise.booking.hold.HoldService;
import jakarta.validation.Valid;
import java.security.Principal;
import org.springframework.http.HttpStatus;
import org.springframework.security.access.prepost.PreAuthorize;
import org.springframework.web.bind.annotation.*;

/** Holds seats while a guest fills in the form. */
@RestController
public class HoldController {

    private final HoldService holds;

    public HoldController(HoldService holds) {
        this.holds = holds;
    }

    @PostMapping("/showings/{showing}/holds")
    @PreAuthorize("isAuthenticated()")
    @ResponseStatus(HttpStatus.CREATED)
    public Hold create(@PathVariable String showing, @Valid @RequestBody HoldRequest request, Principal guest) {
        return holds.create(showing, request.seats(), guest.getName());
    }

    @DeleteMapping("/holds/{id}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    public void delete(@PathVariable String id) {
        holds.release(id);
    }

    @GetMapping("/holds/{id}")
    public Hold get(@PathVariable String id) {
        return holds.find(id).orElseThrow(() -> new HoldNotFoundException(id));
    }

    @ExceptionHandler(HoldNotFoundException.class)
    @ResponseStatus(HttpStatus.NOT_FOUND)
    public ErrorBody notFound(HoldNotFoundException e) {
        return new ErrorBody("unknown hold", e.id());
    }

    /** What the web page shows when something went wrong. */
    public record ErrorBody(String message, String detail) {
    }
}
