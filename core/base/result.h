// The result types of the code base. Errors from outside are values.
// IoResult carries an errno as std::error_code (cheap, no allocation): used for sockets and files.
// Result carries a sentence for a person: used where a human reads the error (configuration).
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <system_error>
#include <utility>

namespace core {

template <typename T>
using IoResult = std::expected<T, std::error_code>;

template <typename T>
using Result = std::expected<T, std::string>;

inline std::error_code error_from_errno(int value) {
    return {value, std::generic_category()};
}

inline std::unexpected<std::error_code> io_error(int value) {
    return std::unexpected(error_from_errno(value));
}

inline std::unexpected<std::string> failure(std::string sentence) {
    return std::unexpected(std::move(sentence));
}

}  // namespace core
