// The compiled parts of Boost.JSON (its documented use without a library of its own): Debian's
// package of the headers is enough.
#include <boost/json/src.hpp>
