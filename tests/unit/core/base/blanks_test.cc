#include "core/base/blanks.h"

#include <gtest/gtest.h>

namespace {

TEST(Blanks, are_spaces_and_tabs_at_both_ends_and_not_inside) {
    EXPECT_EQ(core::trim_blanks(" \ta \t b\t "), "a \t b");
    EXPECT_EQ(core::trim_blanks("\t \t"), "");
    EXPECT_EQ(core::trim_blanks(""), "");
    EXPECT_EQ(core::trim_blanks("\r\n a"), "\r\n a");  // a line's end is no blank
}

}  // namespace
