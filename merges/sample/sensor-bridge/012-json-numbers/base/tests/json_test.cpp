#include "check.hpp"
#include "json.hpp"

using bridge::number;

TEST(numbers_have_the_digits_of_the_sensor)
{
    CHECK_EQUAL(number(21.25, 2), "21.25");
}

