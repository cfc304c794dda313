#include "relay/control/cli/admin_client.h"

#include <memory>

#include <curl/curl.h>

namespace relay {

namespace {

struct EndCurl {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t take(const char* octets, std::size_t size, std::size_t count, void* into) {
    auto& body = *static_cast<std::string*>(into);
    if (body.size() + size * count > AdminClient::kMaxAnswer) return 0;
    body.append(octets, size * count);
    return size * count;
}

void add_header(std::unique_ptr<curl_slist, EndCurl>& headers, const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
}

}  // namespace

core::Result<AdminAnswer> AdminClient::ask(const std::string& method, const std::string& path,
                                           const std::string& json) const {
    const std::unique_ptr<CURL, EndCurl> curl(curl_easy_init());
    if (curl == nullptr) return core::failure("libcurl cannot start");
    std::unique_ptr<curl_slist, EndCurl> headers;
    if (!token_.empty()) add_header(headers, "Authorization: Bearer " + token_);
    if (method != "GET") add_header(headers, "Content-Type: application/json");
    const std::string url = (url_.ends_with('/') ? url_.substr(0, url_.size() - 1) : url_) + path;
    AdminAnswer answer;
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, static_cast<long>(kTime.count()));
    curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
    if (method != "GET") curl_easy_setopt(curl.get(), CURLOPT_COPYPOSTFIELDS, json.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
    if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
        return core::failure("cannot ask " + url_ + ": " + curl_easy_strerror(code) +
                             "; is a relay running there, with \"admin\" in `serve`? --admin URL "
                             "names another one");
    }
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
}

std::string percent_encoded(const std::string& text) {
    constexpr const char* kDigits = "0123456789ABCDEF";
    constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char c : text) {
        if (kPlain.contains(c)) {
            out += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        out.append("%").append(1, kDigits[octet >> 4]).append(1, kDigits[octet & 15]);
    }
    return out;
}

}  // namespace relay
