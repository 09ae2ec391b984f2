package app.meterly.bill;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;

/** All lines of a household's month. */
public class Bill {
    private final List<BillLine> lines;
    private final BigDecimal taxRate;

    public Bill(List<BillLine> lines, BigDecimal taxRate) {
        this.lines = List.copyOf(lines);
        this.taxRate = taxRate;
    }

    public BigDecimal net() {
        return lines.stream()
                .map(BillLine::amount)
                .reduce(BigDecimal.ZERO, BigDecimal::add);
    }

    /** What the household pays. */
    public BigDecimal gross() {
        var sum = net().multiply(BigDecimal.ONE.add(taxRate));
        return sum.setScale(2, RoundingMode.HALF_UP);
    }

    /** Lines with something on them. */
    public List<BillLine> printed() {
        return lines.stream().filter(line -> !line.isEmpty()).toList();
    }
}
