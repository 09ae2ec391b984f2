package net.invoicepress.tax;

class TaxRatesTest {

    @Test
    void booksHaveTheReducedRate() {
        assertEquals(7, TaxRates.rate("reduced", "DE"));
    }

    @Test
    void kindsWithoutTaxAreKnown() {
        assertEquals(0, TaxRates.rate("none", "DE"));
    }

    @Test
    void taxIsRoundedHalfUp() {
        assertEquals(2, TaxRates.tax(8, 19));
    }
}
