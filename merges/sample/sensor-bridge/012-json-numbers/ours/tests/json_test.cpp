#include "check.hpp"
#include "json.hpp"

using bridge::number;

TEST(numbers_have_the_digits_of_the_sensor)
{
    CHECK_EQUAL(number(21.25, 2), "21.25");
}

TEST(not_a_number_is_written_as_zero)
{
    CHECK_EQUAL(number(NAN, 1), "0.000000");
}
