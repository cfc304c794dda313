// HttpsClient: fetches a page over HTTPS, or hands one in, with libcurl, driven by the shard's
// reactor: libcurl's sockets are polled one-shot by the IoBackend, its timer waits in one
// coroutine, no thread, nothing blocks. It never resolves a name: the caller says which address to
// connect to and whom to trust, so no file is read. TLS 1.2 or later, the certificate is verified
// for the host of the URL; redirects, proxies, cookies, connections kept open and content codings
// are not for us. One per shard.
//
//   auto client = HttpsClient::open(shard, roots);
//   HttpsReply reply = co_await client->ask({...});   // any number at once
//   co_await client->close();                         // ends what is under way; before it dies
//
// Limits: of each request: most_octets of body, timeout in all, kConnectTime to connect. How many
// run at once is up to the callers, who bound it (MtaSts::kMostFetches, TlsReporter::kMostAtOnce):
// each holds its body and the buffers of libcurl and OpenSSL, which memory.limit does not count.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/io/shard.h"
#include "core/net/tls_context.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "core/runtime/task_group.h"

namespace core {

struct HttpsRequest {
    std::string host;  // a name: SNI, the certificate's and the Host header's
    std::string path;  // with its slash
    SocketAddress address;
    std::size_t most_octets = 65536;
    std::chrono::milliseconds timeout{60'000};
    std::string content_type{};  // of what is handed in; empty: nothing is (GET, otherwise POST)
    std::string content{};
};

enum class HttpsFault : std::uint8_t { none, network, certificate, too_long };

struct HttpsReply {
    HttpsFault fault = HttpsFault::network;
    std::string reason;  // of the fault
    long status = 0;
    std::string content_type;
    std::string body;
};

class HttpsClient {
  public:
    static constexpr std::chrono::milliseconds kConnectTime{10'000};

    static Result<std::unique_ptr<HttpsClient>> open(Shard& shard, TlsRoots roots);
    ~HttpsClient();

    Task<HttpsReply> ask(HttpsRequest request);
    // For requests from now on.
    void use_roots(TlsRoots roots) { roots_ = std::move(roots); }
    Task<void> close();

  private:
    class Multi;
    struct Transfer;

    HttpsClient(Shard& shard, TlsRoots roots);
    Task<void> pump();

    Shard& shard_;
    TlsRoots roots_;
    Event work_;
    std::unique_ptr<Multi> multi_;
    TaskGroup tasks_;
    std::size_t running_ = 0;
    Event ended_;
    bool closing_ = false;
};

}  // namespace core
