#include "check.hpp"
#include "json.hpp"

using bridge::number;

TEST(numbers_have_the_digits_of_the_sensor)
{
    CHECK_EQUAL(number(21.25, 2), "21.25");
}

TEST(what_is_no_number_is_null)
{
    CHECK_EQUAL(number(NAN, 1), "null");
    CHECK_EQUAL(number(INFINITY, 1), "null");
}
