#include "core/http/https_client.h"

#include <algorithm>
#include <array>
#include <coroutine>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "core/base/assert.h"

namespace core {

namespace {

// Instead of what libcurl would read from a file.
CURLcode trust(CURL*, void* context, void* store) {
    SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), static_cast<X509_STORE*>(store));
    return CURLE_OK;
}

}  // namespace

// One page. Lives in the asking coroutine's frame, in the multi handle's hands meanwhile.
struct HttpsClient::Transfer {
    Transfer(Reactor& owner, std::size_t most, TlsRoots trusted)
        : reactor(owner), most_octets(most), roots(std::move(trusted)) {}
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer() {
        curl_easy_cleanup(easy);
        curl_slist_free_all(connect_to);
        curl_slist_free_all(headers);
    }

    static std::size_t take(char* octets, std::size_t, std::size_t length, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        if (transfer.reply.body.size() + length > transfer.most_octets) {
            transfer.too_long = true;
            return 0;  // ends the transfer
        }
        transfer.reply.body.append(octets, length);
        return length;
    }

    void finish(CURLcode result) {
        done = true;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);
        const char* type = nullptr;
        curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
        if (type != nullptr) reply.content_type = type;
        reply.reason = error[0] != '\0' ? error.data() : curl_easy_strerror(result);
        if (result == CURLE_OK) {
            reply.fault = HttpsFault::none;
            reply.reason.clear();
        } else if (too_long || result == CURLE_FILESIZE_EXCEEDED) {
            reply.fault = HttpsFault::too_long;
            reply.reason = "more than " + std::to_string(most_octets) + " octets";
        } else if (result == CURLE_PEER_FAILED_VERIFICATION) {
            reply.fault = HttpsFault::certificate;
        } else {
            reply.fault = HttpsFault::network;
        }
        if (waiter) reactor.schedule(waiter);
    }

    bool await_ready() const noexcept { return done; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
    void await_resume() const noexcept {}

    Reactor& reactor;
    const std::size_t most_octets;
    const TlsRoots roots;  // as of its start
    CURL* easy = nullptr;
    curl_slist* connect_to = nullptr;
    curl_slist* headers = nullptr;
    std::array<char, CURL_ERROR_SIZE> error{};
    HttpsReply reply;
    bool too_long = false;
    bool done = false;
    std::coroutine_handle<> waiter;
};

// libcurl's multi handle and the polls of its sockets. A poll belongs to a Socket object, never to
// a number: libcurl closes a socket right after saying so, and its number may come back at once.
class HttpsClient::Multi {
  public:
    Multi(Shard& shard, Event& work) : shard_(shard), work_(work), multi_(curl_multi_init()) {
        PH_ASSERT(multi_ != nullptr);
        curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Multi::socket_changed);
        curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Multi::timer_changed);
        curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    }
    ~Multi() { PH_ASSERT(multi_ == nullptr && quiet()); }

    void add(Transfer& transfer) {
        transfers_.insert(&transfer);
        curl_easy_setopt(transfer.easy, CURLOPT_PRIVATE, &transfer);
        curl_multi_add_handle(multi_, transfer.easy);
        work_.set();
    }
    void process();
    void cancel_all();
    void destroy() {
        curl_multi_cleanup(multi_);
        multi_ = nullptr;
        work_.set();
    }
    bool quiet() const { return sockets_.empty() && dying_.empty(); }
    Instant wake() const { return timer_; }

  private:
    class Socket final : public Operation {
      public:
        Socket(Event& work, int handle, std::uint64_t number)
            : fd(handle), generation(number), work_(work) {}

        const int fd;
        const std::uint64_t generation;
        short wanted = 0;
        short polled = 0;
        short ready = 0;
        bool broken = false;  // cannot be polled; the transfer ends by its timeout

      private:
        void complete(const Completion& completion) override {
            if (completion.result >= 0) {
                ready = static_cast<short>(ready | completion.result);
            } else if (completion.result != -ECANCELED) {
                broken = true;
            }
            work_.set();
        }
        Event& work_;
    };

    static int socket_changed(CURL*, curl_socket_t fd, int what, void* self, void*);
    static int timer_changed(CURLM*, long milliseconds, void* self);
    void act(curl_socket_t fd, int events) {
        int running = 0;
        curl_multi_socket_action(multi_, fd, events, &running);
    }
    void collect();
    void finish(CURL* easy, CURLcode result);
    void poll_again();

    Shard& shard_;
    Event& work_;
    CURLM* multi_;
    std::set<Transfer*> transfers_;
    std::unordered_map<int, std::unique_ptr<Socket>> sockets_;
    std::vector<std::unique_ptr<Socket>> dying_;
    std::uint64_t generations_ = 0;
    Instant timer_ = kNever;
};

int HttpsClient::Multi::socket_changed(CURL*, curl_socket_t fd, int what, void* self, void*) {
    auto& multi = *static_cast<Multi*>(self);
    const auto found = multi.sockets_.find(fd);
    if (what == CURL_POLL_REMOVE) {
        if (found == multi.sockets_.end()) return 0;
        std::unique_ptr<Socket> socket = std::move(found->second);
        multi.sockets_.erase(found);
        if (socket->in_flight()) multi.shard_.io().cancel(*socket);
        multi.dying_.push_back(std::move(socket));
        multi.work_.set();
        return 0;
    }
    auto& socket = found != multi.sockets_.end() ? found->second : multi.sockets_[fd];
    if (!socket) socket = std::make_unique<Socket>(multi.work_, fd, ++multi.generations_);
    socket->wanted = static_cast<short>(((what & CURL_POLL_IN) != 0 ? POLLIN : 0) |
                                        ((what & CURL_POLL_OUT) != 0 ? POLLOUT : 0));
    multi.work_.set();
    return 0;
}

int HttpsClient::Multi::timer_changed(CURLM*, long milliseconds, void* self) {
    auto& multi = *static_cast<Multi*>(self);
    multi.timer_ = milliseconds < 0
                       ? kNever
                       : multi.shard_.now() + Duration{std::chrono::milliseconds{milliseconds}};
    multi.work_.set();
    return 0;
}

void HttpsClient::Multi::process() {
    std::vector<std::pair<int, std::uint64_t>> ready;
    for (const auto& [fd, socket] : sockets_) {
        if (socket->ready != 0) ready.emplace_back(fd, socket->generation);
    }
    for (const auto& [fd, generation] : ready) {
        // What was done for the one before may have closed this one, or opened it again.
        const auto found = sockets_.find(fd);
        if (found == sockets_.end() || found->second->generation != generation) continue;
        const short events = std::exchange(found->second->ready, short{0});
        const bool failed = (events & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        act(fd, (failed || (events & POLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                    (failed || (events & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                    (failed ? CURL_CSELECT_ERR : 0));
    }
    if (multi_ != nullptr && timer_ <= shard_.now()) {
        timer_ = kNever;
        act(CURL_SOCKET_TIMEOUT, 0);
    }
    collect();
    std::erase_if(dying_, [](const auto& socket) { return !socket->in_flight(); });
    poll_again();
}

void HttpsClient::Multi::collect() {
    if (multi_ == nullptr) return;
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
    }
}

void HttpsClient::Multi::finish(CURL* easy, CURLcode result) {
    char* pointer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &pointer);
    auto* const transfer = static_cast<Transfer*>(static_cast<void*>(pointer));
    curl_multi_remove_handle(multi_, easy);
    transfers_.erase(transfer);
    transfer->finish(result);
}

void HttpsClient::Multi::cancel_all() {
    while (!transfers_.empty())
        finish((*transfers_.begin())->easy, CURLE_ABORTED_BY_CALLBACK);
}

void HttpsClient::Multi::poll_again() {
    for (const auto& [fd, socket] : sockets_) {
        if (socket->broken || socket->ready != 0 || socket->wanted == 0) continue;
        if (!socket->in_flight()) {
            socket->polled = socket->wanted;
            shard_.io().start_poll(fd, socket->wanted, *socket);
        } else if (socket->polled != socket->wanted) {
            socket->polled = socket->wanted;  // cancel once; its completion leads back to here
            shard_.io().cancel(*socket);
        }
    }
}

Result<std::unique_ptr<HttpsClient>> HttpsClient::open(Shard& shard, TlsRoots roots) {
    static std::once_flag initialized;  // not safe on several threads at once
    static CURLcode status = CURLE_FAILED_INIT;
    std::call_once(initialized, [] { status = curl_global_init(CURL_GLOBAL_DEFAULT); });
    if (status != CURLE_OK) {
        return failure(std::string("cannot start libcurl: ") + curl_easy_strerror(status));
    }
    std::unique_ptr<HttpsClient> client(new HttpsClient(shard, std::move(roots)));
    client->tasks_.spawn(client->pump());
    return client;
}

HttpsClient::HttpsClient(Shard& shard, TlsRoots roots)
    : shard_(shard),
      roots_(std::move(roots)),
      work_(shard.reactor()),
      multi_(std::make_unique<Multi>(shard, work_)),
      tasks_(shard.reactor()),
      ended_(shard.reactor()) {}

HttpsClient::~HttpsClient() {
    PH_ASSERT(running_ == 0);
}

Task<HttpsReply> HttpsClient::ask(HttpsRequest request) {
    Transfer transfer(shard_.reactor(), request.most_octets, roots_);
    transfer.reply.reason = "closing";
    transfer.easy = closing_ ? nullptr : curl_easy_init();
    if (transfer.easy == nullptr) co_return std::move(transfer.reply);
    const auto set = [&](CURLoption option, auto value) {
        PH_ASSERT(curl_easy_setopt(transfer.easy, option, value) == CURLE_OK);
    };
    const std::string port = std::to_string(request.address.port);
    const std::string url = "https://" + request.host + ":" + port + request.path;
    // "host:port" of the URL, then where to go instead: no name is looked up.
    const std::string way = request.host + ":" + port + ":" + request.address.to_string();
    transfer.connect_to = curl_slist_append(nullptr, way.c_str());
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_CONNECT_TO, transfer.connect_to);
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_CAINFO, static_cast<const char*>(nullptr));  // Debian's build has both
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    set(CURLOPT_CA_CACHE_TIMEOUT, 0L);
    set(CURLOPT_SSL_CTX_FUNCTION, &trust);
    set(CURLOPT_SSL_CTX_DATA, transfer.roots.native());
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTime.count()));
    set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.most_octets));
    set(CURLOPT_WRITEFUNCTION, &Transfer::take);
    set(CURLOPT_WRITEDATA, &transfer);
    set(CURLOPT_ERRORBUFFER, transfer.error.data());
    set(CURLOPT_USERAGENT, "posthaste");
    if (!request.content_type.empty()) {
        const std::string type = "Content-Type: " + request.content_type;
        transfer.headers = curl_slist_append(nullptr, type.c_str());
        // Some servers never answer "Expect: 100-continue", which waits a second for it.
        transfer.headers = curl_slist_append(transfer.headers, "Expect:");
        set(CURLOPT_HTTPHEADER, transfer.headers);
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.content.size()));
        set(CURLOPT_POSTFIELDS, request.content.data());
        set(CURLOPT_POST, 1L);
    }
    ++running_;
    multi_->add(transfer);
    co_await transfer;
    if (--running_ == 0) ended_.notify_all();
    co_return std::move(transfer.reply);
}

Task<void> HttpsClient::pump() {
    constexpr Duration kSlack = std::chrono::milliseconds{1};  // never a turn too early
    while (true) {
        work_.reset();
        multi_->process();
        if (closing_ && multi_->quiet()) co_return;
        const Instant wake = multi_->wake();
        co_await work_.wait(wake == kNever ? kNever : wake + kSlack);
    }
}

Task<void> HttpsClient::close() {
    if (closing_) co_return;
    closing_ = true;
    multi_->cancel_all();
    while (running_ > 0)
        co_await ended_.wait();
    multi_->destroy();
    co_await tasks_.close();
}

}  // namespace core
