package net.invoicepress.bank;

class IbanTest {

    @Test
    void blanksDoNotCount() {
        assertTrue(Iban.isValid("GB82 WEST 1234 5698 7654 32"));
    }

    @Test
    void aWrongDigitIsFound() {
        assertFalse(Iban.isValid("GB82 WEST 1234 5698 7654 33"));
    }

    @Test
    void itIsPrintedInGroups() {
        assertEquals("GB82 WEST", Iban.shown("GB82WEST"));
    }
}
