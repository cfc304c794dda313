// AdminClient: asks the admin API of a running relay over HTTP, with libcurl, and waits for the
// answer. For the command line: it blocks. Limits: kMaxAnswer octets of an answer, kTime in all.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "core/base/result.h"

namespace relay {

struct AdminAnswer {
    long status = 0;
    std::string body{};
};

class AdminClient {
  public:
    static constexpr std::size_t kMaxAnswer = 256 << 20;
    static constexpr std::chrono::seconds kTime{120};

    // url: "http://127.0.0.1:8025". token: "name:secret"; empty: there is none.
    AdminClient(std::string url, std::string token)
        : url_(std::move(url)), token_(std::move(token)) {}

    core::Result<AdminAnswer> get(const std::string& path) const { return ask("GET", path, {}); }
    // method: POST, DELETE.
    core::Result<AdminAnswer> send(const std::string& method, const std::string& path,
                                   const std::string& json) const {
        return ask(method, path, json);
    }

  private:
    core::Result<AdminAnswer> ask(const std::string& method, const std::string& path,
                                  const std::string& json) const;

    std::string url_;
    std::string token_;
};

// As a part of a query.
std::string percent_encoded(const std::string& text);

}  // namespace relay
