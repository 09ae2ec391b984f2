package net.invoicepress.bank;

import java.math.BigInteger;

/** Numbers of bank accounts. */
final class Iban {

    private static final BigInteger NINETY_SEVEN = BigInteger.valueOf(97);

    private Iban() {}

    /** Whether the number can be one. */
    static boolean isValid(String text) {
        return text.length() >= 15;
    }

    /** The number in groups of four, as it is printed. */
    static String shown(String number) {
        return number.replaceAll("(.{4})(?!$)", "$1 ");
    }

    static int remainder(String number) {
        String turned = number.substring(4) + number.substring(0, 4);
        var digits = new StringBuilder();
        for (char sign : turned.toCharArray()) {
            digits.append(Character.getNumericValue(sign));
        }
        return new BigInteger(digits.toString()).mod(NINETY_SEVEN).intValue();
    }
}
