#include "core/http/message.h"

#include <chrono>
#include <iterator>

#include <spdlog/fmt/fmt.h>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "core/base/json_text.h"

namespace core {

const std::string* HttpRequest::field(std::string_view name) const {
    for (const HttpField& candidate : fields) {
        if (equals_ignoring_case(candidate.name, name)) return &candidate.value;
    }
    return nullptr;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Unknown";  // the phrase has no meaning to a client (RFC 9112 section 4)
    }
}

void append_problem(std::string& json, const HttpProblem& problem) {
    json += "{\"message\":";
    append_json_string(json, problem.message);
    json += ",\"field\":";
    if (problem.field.empty()) {
        json += "null";
    } else {
        append_json_string(json, problem.field);
    }
    json += '}';
}

HttpResponse error_response(int status, const std::vector<HttpProblem>& problems) {
    HttpResponse response;
    response.status = status;
    response.body = "{\"errors\":[";
    for (const HttpProblem& problem : problems) {
        if (response.body.back() != '[') response.body += ',';
        append_problem(response.body, problem);
    }
    response.body += "]}\n";
    return response;
}

HttpResponse error_response(int status, std::string_view message, std::string_view field) {
    return error_response(status, {{std::string(message), std::string(field)}});
}

HttpResponse text_response(int status, std::string body, std::string content_type) {
    HttpResponse response;
    response.status = status;
    response.content_type = std::move(content_type);
    response.body = std::move(body);
    return response;
}

std::string http_date(WallTime time) {
    using namespace std::chrono;
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{floor<seconds>(time - day)};
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday{day}.c_encoding()],
                       static_cast<unsigned>(date.day()),
                       kMonths[static_cast<unsigned>(date.month()) - 1],
                       static_cast<int>(date.year()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

void append_response_head(std::string& out, const HttpResponse& response, bool keep_alive,
                          WallTime now) {
    fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\nDate: {}\r\nServer: posthaste\r\n",
                   response.status, reason_phrase(response.status), http_date(now));
    if (response.status != 204) {  // RFC 9110 section 8.6
        fmt::format_to(std::back_inserter(out), "Content-Type: {}\r\nContent-Length: {}\r\n",
                       response.content_type, response.body.size());
    }
    for (const HttpField& field : response.fields) {
        PH_ASSERT(field.name.find_first_of("\r\n:") == std::string::npos);
        PH_ASSERT(field.value.find_first_of("\r\n") == std::string::npos);
        out += field.name;
        out += ": ";
        out += field.value;
        out += "\r\n";
    }
    out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
}

}  // namespace core
