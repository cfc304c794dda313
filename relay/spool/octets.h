// Little-endian numbers and counted texts, written to and read from octets. Pure. A Reader that ran
// out of octets yields zeros and says so in ok().
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace relay {

static_assert(std::endian::native == std::endian::little);

template <std::unsigned_integral T>
void put(std::string& out, T value) {
    char octets[sizeof value];
    std::memcpy(octets, &value, sizeof value);
    out.append(octets, sizeof value);
}

template <std::unsigned_integral T>
void put_at(char* place, T value) {
    std::memcpy(place, &value, sizeof value);
}

template <std::unsigned_integral T>
T get_at(const char* place) {
    T value;
    std::memcpy(&value, place, sizeof value);
    return value;
}

inline void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint16_t>(text.size()));
    out += text;
}

class Reader {
  public:
    explicit Reader(std::string_view octets) : octets_(octets) {}

    template <std::unsigned_integral T>
    T number() {
        if (octets_.size() < sizeof(T)) return fail(), T{};
        const T value = get_at<T>(octets_.data());
        octets_.remove_prefix(sizeof(T));
        return value;
    }
    std::string_view text(std::size_t length) {
        if (octets_.size() < length) return fail(), std::string_view{};
        const std::string_view taken = octets_.substr(0, length);
        octets_.remove_prefix(length);
        return taken;
    }
    std::string_view counted_text() { return text(number<std::uint16_t>()); }

    bool ok() const { return ok_; }
    bool at_end() const { return octets_.empty(); }
    std::size_t left() const { return octets_.size(); }

  private:
    void fail() {
        ok_ = false;
        octets_ = {};
    }

    std::string_view octets_;
    bool ok_ = true;
};

}  // namespace relay
